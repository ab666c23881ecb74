"""The experiment in which hyper-parameters are chosen, on other examples to forget -> tuned/<method>.json.

Its rules are those of the scored experiment, in a folder of their own; there are none where no method has a grid.
"""

TUNING = f"{RESULTS}/tuning"
TUNING_LOGS = f"{RESULTS}/logs/tuning"


use rule split_data as tuning_split_data with:
    input:
        unpack(needs("tuning_split_data")),
    output:
        f"{TUNING}/data/split.npz",
    log:
        f"{TUNING_LOGS}/split_data.log",
    params:
        key=key_of("tuning_split_data"),
        step=told("tuning_split_data"),


# Its originals are trained here, even where the scored one was trained elsewhere.
use rule train_retain as tuning_train_full with:
    input:
        unpack(needs("tuning_train_full")),
    output:
        f"{TUNING}/models/full/{{shard}}.safetensors",
    log:
        f"{TUNING_LOGS}/train/full/{{shard}}.log",
    params:
        key=key_of("tuning_train_full"),
        step=told("tuning_train_full"),


use rule train_retain as tuning_train_retain with:
    input:
        unpack(needs("tuning_train_retain")),
    output:
        spare(f"{TUNING}/models/retain/{{shard}}.safetensors"),
    log:
        f"{TUNING_LOGS}/train/retain/{{shard}}.log",
    params:
        key=key_of("tuning_train_retain"),
        step=told("tuning_train_retain"),


use rule unlearn as tuning_unlearn with:
    input:
        unpack(needs("tuning_unlearn")),
    output:
        spare(f"{TUNING}/models/unlearn/{{method}}/{{shard}}.safetensors"),
    log:
        f"{TUNING_LOGS}/unlearn/{{method}}/{{shard}}.log",
    params:
        key=key_of("tuning_unlearn"),
        step=told("tuning_unlearn"),


use rule dump_losses as tuning_dump_losses with:
    input:
        unpack(needs("tuning_dump_losses")),
    output:
        f"{TUNING}/losses/{{group}}/{{shard}}.parquet",
    log:
        f"{TUNING_LOGS}/dump_losses/{{group}}/{{shard}}.log",
    resources:
        gpu=GPUS,
        device=DEVICE,
        # A point of a grid may well diverge.
        on_diverged="keep",
        mem_mb=4000,
        runtime=60,
    params:
        key=key_of("tuning_dump_losses"),
        step=told("tuning_dump_losses"),


use rule score as tuning_score with:
    input:
        unpack(needs("tuning_score")),
    output:
        score=f"{TUNING}/score_{{method}}.json",
        samples=f"{TUNING}/samples_{{method}}.parquet",
        replicates=f"{TUNING}/replicates_{{method}}.npz",
    log:
        f"{TUNING_LOGS}/score_{{method}}.log",
    params:
        key=key_of("tuning_score"),
        step=told("tuning_score"),


rule tune:
    input:
        unpack(needs("tune")),
    output:
        f"{RESULTS}/tuned/{{method}}.json",
    log:
        f"{RESULTS}/logs/tune_{{method}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        key=key_of("tune"),
        step=told("tune"),
    script:
        "../scripts/tune.py"
