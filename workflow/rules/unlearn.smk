"""Original models, a method file -> unlearned models, in shards."""


rule unlearn:
    input:
        unpack(unlearn_inputs),
    output:
        spare(f"{RESULTS}/models/unlearn/{{method}}/{{shard}}.safetensors"),
    log:
        f"{RESULTS}/logs/unlearn/{{method}}/{{shard}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=lambda wildcards: shard_minutes(wildcards.shard),
    params:
        key=lambda wildcards: PLAN.unlearning_origin(wildcards.method).key,
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        split_key=lambda wildcards, output: PLAN.split_origin.key,
        originals_key=lambda wildcards, output: PLAN.training_origin("full").key,
        oracles_key=lambda wildcards, output: oracles_key(wildcards.method),
        settings=lambda wildcards, output: PLAN.unlearning_settings(wildcards.method),
        max_seconds=lambda wildcards, output: CONFIG.max_seconds_per_copy,
        provenance=lambda wildcards, output: PLAN.unlearning_origin(
            wildcards.method
        ).header(),
    script:
        "../scripts/unlearn.py"
