"""Original models, a method file -> unlearned models, in shards."""


rule unlearn:
    input:
        dataset=dataset_file(),
        split=split_file(),
        originals=[model_file("full", shard) for shard in PLAN.original_shards],
        method=method_input,
    output:
        f"{RESULTS}/models/unlearn/{{method}}/{{shard}}.safetensors",
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
        key=lambda wildcards: PLAN.unlearning_key(wildcards.method),
        dataset_key=PLAN.data_key,
        split_key=PLAN.split_key,
        originals_key=PLAN.training_key("full"),
        settings=lambda wildcards: PLAN.unlearning_settings(wildcards.method),
    script:
        "../scripts/unlearn.py"
