"""dataset.npz, split.npz -> original models (full) and retrained models (retain), in shards."""

if CONFIG.original is None:

    rule train_full:
        input:
            unpack(train_inputs("full")),
        output:
            f"{RESULTS}/models/full/{{shard}}.safetensors",
        log:
            f"{RESULTS}/logs/train/full/{{shard}}.log",
        conda:
            "../../envs/unlearning.yaml"
        threads: 1
        resources:
            gpu=GPUS,
            device=DEVICE,
            mem_mb=4000,
            runtime=lambda wildcards: shard_minutes(wildcards.shard),
        params:
            key=PLAN.training_origin("full").key,
            role=lambda wildcards, output: "full",
            dataset_key=lambda wildcards, output: PLAN.data_origin.key,
            split_key=lambda wildcards, output: PLAN.split_origin.key,
            settings=lambda wildcards, output: PLAN.training_settings,
            provenance=lambda wildcards, output: PLAN.training_origin("full").header(),
        script:
            "../scripts/train.py"

else:

    rule import_original:
        input:
            unpack(original_inputs),
        output:
            f"{RESULTS}/models/full/{{shard}}.safetensors",
        log:
            f"{RESULTS}/logs/train/full/{{shard}}.log",
        conda:
            "../../envs/unlearning.yaml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            key=PLAN.training_origin("full").key,
            dataset_key=lambda wildcards, output: PLAN.data_origin.key,
            model_settings=lambda wildcards, output: PLAN.original_settings,
            provenance=lambda wildcards, output: PLAN.training_origin("full").header(),
        script:
            "../scripts/import_original.py"


rule train_retain:
    input:
        unpack(train_inputs("retain")),
    output:
        spare(f"{RESULTS}/models/retain/{{shard}}.safetensors"),
    log:
        f"{RESULTS}/logs/train/retain/{{shard}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=lambda wildcards: shard_minutes(wildcards.shard),
    params:
        key=PLAN.training_origin("retain").key,
        role=lambda wildcards, output: "retain",
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        split_key=lambda wildcards, output: PLAN.split_origin.key,
        settings=lambda wildcards, output: PLAN.training_settings,
        provenance=lambda wildcards, output: PLAN.training_origin("retain").header(),
    script:
        "../scripts/train.py"
