"""Original models, a method file -> unlearned models, in shards."""


rule unlearn:
    input:
        unpack(needs("unlearn")),
    output:
        spare(f"{RESULTS}/models/unlearn/{{method}}{{original}}/{{shard}}.safetensors"),
    log:
        f"{RESULTS}/logs/unlearn/{{method}}{{original}}/{{shard}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=shard_minutes,
    params:
        key=key_of("unlearn"),
        step=told("unlearn"),
    script:
        "../scripts/unlearn.py"
