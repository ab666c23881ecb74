"""Dumps of both sides, of the originals and of the ceiling -> score document, per-example table and replicates."""


rule score:
    input:
        unpack(needs("score")),
    output:
        score=f"{RESULTS}/score_{{method}}.json",
        samples=f"{RESULTS}/samples_{{method}}.parquet",
        replicates=f"{RESULTS}/replicates_{{method}}.npz",
    log:
        f"{RESULTS}/logs/score_{{method}}.log",
    conda:
        ENVIRONMENT
    # From 128 models on, the kernels are what takes the time, and they run side by side.
    threads: 2 if CONFIG.copies >= 128 else 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        key=key_of("score"),
        step=told("score"),
    script:
        "../scripts/score.py"
