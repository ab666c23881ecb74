"""dataset.npz, split.npz -> original models (full) and retrained models (retain), in shards."""

if CONFIG.original is None:

    rule train_full:
        input:
            unpack(needs("train_full")),
        output:
            f"{RESULTS}/models/full/{{shard}}.safetensors",
        log:
            f"{RESULTS}/logs/train/full/{{shard}}.log",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=GPUS,
            device=DEVICE,
            mem_mb=4000,
            runtime=shard_minutes,
        params:
            key=key_of("train_full"),
            step=told("train_full"),
        script:
            "../scripts/train.py"

else:

    rule import_original:
        input:
            unpack(needs("import_original")),
        output:
            f"{RESULTS}/models/full/{{shard}}.safetensors",
        log:
            f"{RESULTS}/logs/train/full/{{shard}}.log",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            key=key_of("import_original"),
            step=told("import_original"),
        script:
            "../scripts/import_original.py"


rule train_retain:
    input:
        unpack(needs("train_retain")),
    output:
        spare(f"{RESULTS}/models/retain/{{shard}}.safetensors"),
    log:
        f"{RESULTS}/logs/train/retain/{{shard}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=shard_minutes,
    params:
        key=key_of("train_retain"),
        step=told("train_retain"),
    script:
        "../scripts/train.py"
