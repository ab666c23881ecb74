"""A shard of models, or a file of outputs made elsewhere -> per-example outputs.

Rules of their own, so that a new column never retrains.
"""


# The outputs of models made elsewhere lie where those of a method's copies would.
ruleorder: import_dump > dump_losses


rule dump_losses:
    input:
        unpack(dump_inputs),
    output:
        f"{RESULTS}/losses/{{group}}/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/dump_losses/{{group}}/{{shard}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        on_diverged=CONFIG.on_diverged,
        mem_mb=4000,
        runtime=60,
    params:
        key=lambda wildcards: PLAN.dump_origin(wildcards.group).key,
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        split_key=lambda wildcards, output: PLAN.split_origin.key,
        models_key=lambda wildcards, output: PLAN.models_origin(wildcards.group).key,
        model_settings=lambda wildcards, output: CONFIG.model.model_dump(mode="json"),
        provenance=lambda wildcards, output: PLAN.dump_origin(wildcards.group).header(),
    script:
        "../scripts/dump_losses.py"


rule import_dump:
    input:
        unpack(import_inputs),
    output:
        f"{RESULTS}/losses/unlearn/{{method}}/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/dump_losses/unlearn/{{method}}/{{shard}}.log",
    wildcard_constraints:
        # Of no method at all where none is a dump.
        method="|".join(name for name, entry in PLAN.methods.items() if entry.is_dump)
        or "(?!)",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        key=lambda wildcards: PLAN.dump_origin(f"unlearn/{wildcards.method}").key,
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        split_key=lambda wildcards, output: PLAN.split_origin.key,
        copies=lambda wildcards, output: CONFIG.copies,
        provenance=lambda wildcards, output: PLAN.dump_origin(
            f"unlearn/{wildcards.method}"
        ).header(),
    script:
        "../scripts/import_dump.py"
