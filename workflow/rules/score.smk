"""Dumps of both sides, of the originals and of the ceiling -> score document and per-example table."""


rule score:
    input:
        unpack(score_inputs),
    output:
        score=f"{RESULTS}/score_{{method}}.json",
        samples=f"{RESULTS}/samples_{{method}}.parquet",
    log:
        f"{RESULTS}/logs/score_{{method}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        key=lambda wildcards: PLAN.score_key(wildcards.method),
        dump_keys=lambda wildcards: PLAN.score_keys(wildcards.method),
        settings=lambda wildcards: PLAN.score_settings(wildcards.method),
    script:
        "../scripts/score.py"
