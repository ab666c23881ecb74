"""Dumps of both sides, of the originals and of the ceiling -> score document, per-example table and replicates."""


rule score:
    input:
        unpack(score_inputs),
    output:
        score=f"{RESULTS}/score_{{method}}.json",
        samples=f"{RESULTS}/samples_{{method}}.parquet",
        replicates=f"{RESULTS}/replicates_{{method}}.npz",
    log:
        f"{RESULTS}/logs/score_{{method}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        key=lambda wildcards: PLAN.score_origin(wildcards.method).key,
        # Tracked: documents made under "keep" must be looked at again under "fail".
        on_diverged=CONFIG.on_diverged,
        dump_keys=lambda wildcards, output: PLAN.score_keys(wildcards.method),
        settings=lambda wildcards, output: PLAN.score_settings(wildcards.method),
        provenance=lambda wildcards, output: PLAN.score_origin(
            wildcards.method
        ).header(),
    script:
        "../scripts/score.py"
