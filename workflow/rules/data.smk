"""Data source -> dataset.npz -> split.npz."""


rule prepare_data:
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
        key=PLAN.data_key,
        settings=CONFIG.data.model_dump(mode="json"),
        experiment_seed=CONFIG.experiment_seed,
    script:
        "../scripts/prepare_data.py"


rule split_data:
    input:
        dataset=dataset_file(),
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
        key=PLAN.split_key,
        dataset_key=PLAN.data_key,
        settings=PLAN.split_settings,
        experiment_seed=CONFIG.experiment_seed,
    script:
        "../scripts/split_data.py"
