"""A shard of models -> per-example outputs. A rule of its own, so that a new column never retrains."""


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
