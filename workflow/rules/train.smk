"""dataset.npz, split.npz -> original models (full) and retrained models (retain), in shards."""


rule train:
    input:
        dataset=dataset_file(),
        split=split_file(),
    output:
        f"{RESULTS}/models/{{role}}/{{shard}}.safetensors",
    log:
        f"{RESULTS}/logs/train/{{role}}/{{shard}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=lambda wildcards: shard_minutes(wildcards.shard),
    params:
        key=lambda wildcards: PLAN.training_key(wildcards.role),
        dataset_key=PLAN.data_key,
        split_key=PLAN.split_key,
        settings=PLAN.training_settings,
    script:
        "../scripts/train.py"
