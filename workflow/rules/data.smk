"""Data source -> dataset.npz -> split.npz; by way of difficulty.npz where hard or easy examples are to be forgotten."""


rule prepare_data:
    input:
        unpack(data_inputs),
    output:
        f"{RESULTS}/data/dataset.npz",
    log:
        f"{RESULTS}/logs/prepare_data.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        key=PLAN.data_origin.key,
        settings=lambda wildcards, output: CONFIG.data.model_dump(mode="json"),
        experiment_seed=lambda wildcards, output: CONFIG.experiment_seed,
        provenance=lambda wildcards, output: PLAN.data_origin.header(),
    script:
        "../scripts/prepare_data.py"


rule difficulty:
    input:
        unpack(difficulty_inputs),
    output:
        f"{RESULTS}/data/difficulty.npz",
    log:
        f"{RESULTS}/logs/difficulty.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=30 + 10 * CONFIG.forget.difficulty_models,
    params:
        key=PLAN.difficulty_origin.key,
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        settings=lambda wildcards, output: PLAN.difficulty_settings,
        provenance=lambda wildcards, output: PLAN.difficulty_origin.header(),
    script:
        "../scripts/difficulty.py"


rule split_data:
    input:
        unpack(split_inputs),
    output:
        f"{RESULTS}/data/split.npz",
    log:
        f"{RESULTS}/logs/split_data.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        key=PLAN.split_origin.key,
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        difficulty_key=lambda wildcards, output: difficulty_key(),
        settings=lambda wildcards, output: PLAN.split_settings,
        experiment_seed=lambda wildcards, output: CONFIG.experiment_seed,
        provenance=lambda wildcards, output: PLAN.split_origin.header(),
    script:
        "../scripts/split_data.py"
