"""A shard of models -> per-example outputs. A rule of its own, so that a new column never retrains."""


rule dump_losses:
    input:
        dataset=dataset_file(),
        split=split_file(),
        models=lambda wildcards: model_file(wildcards.group, wildcards.shard),
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
        mem_mb=4000,
        runtime=60,
    params:
        key=lambda wildcards: PLAN.dump_key(wildcards.group),
        dataset_key=PLAN.data_key,
        split_key=PLAN.split_key,
        models_key=lambda wildcards: PLAN.models_key(wildcards.group),
        model_settings=CONFIG.model.model_dump(mode="json"),
    script:
        "../scripts/dump_losses.py"
