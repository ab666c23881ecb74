"""A shard of models, or a file of outputs made elsewhere -> per-example outputs.

Rules of their own, so that a new column never retrains.
"""


# The outputs of models made elsewhere lie where those of a method's copies would.
ruleorder: import_dump > dump_losses


rule dump_losses:
    input:
        unpack(needs("dump_losses")),
    output:
        f"{RESULTS}/losses/{{group}}/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/dump_losses/{{group}}/{{shard}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        on_diverged=CONFIG.on_diverged,
        mem_mb=4000,
        runtime=60,
    params:
        key=key_of("dump_losses"),
        step=told("dump_losses"),
    script:
        "../scripts/dump_losses.py"


rule import_dump:
    input:
        unpack(needs("import_dump")),
    output:
        f"{RESULTS}/losses/unlearn/{{method}}{{original}}/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/dump_losses/unlearn/{{method}}{{original}}/{{shard}}.log",
    wildcard_constraints:
        # Of no method at all where none is a dump.
        method="|".join(name for name, entry in PLAN.methods.items() if entry.is_dump)
        or "(?!)",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        key=key_of("import_dump"),
        step=told("import_dump"),
    script:
        "../scripts/import_dump.py"
