"""Score documents of every point of a grid -> tuned/<method>.json."""

from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        from unlearning_metric.jobs.tune import choose

    choose(
        **call.arguments,
        out=snakemake.output[0],
        method=snakemake.wildcards.method,
    )
