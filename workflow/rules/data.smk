"""Data source -> dataset.npz -> split.npz; by way of difficulty.npz where hard or easy examples are to be forgotten."""


rule prepare_data:
    input:
        unpack(needs("prepare_data")),
    output:
        f"{RESULTS}/data/dataset.npz",
    log:
        f"{RESULTS}/logs/prepare_data.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        key=key_of("prepare_data"),
        step=told("prepare_data"),
    script:
        "../scripts/prepare_data.py"


rule difficulty:
    input:
        unpack(needs("difficulty")),
    output:
        f"{RESULTS}/data/difficulty.npz",
    log:
        f"{RESULTS}/logs/difficulty.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=30 + 10 * CONFIG.forget.difficulty_models,
    params:
        key=key_of("difficulty"),
        step=told("difficulty"),
    script:
        "../scripts/difficulty.py"


rule split_data:
    input:
        unpack(needs("split_data")),
    output:
        f"{RESULTS}/data/split.npz",
    log:
        f"{RESULTS}/logs/split_data.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        key=key_of("split_data"),
        step=told("split_data"),
    script:
        "../scripts/split_data.py"
