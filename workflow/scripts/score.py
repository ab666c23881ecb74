"""Dumps of both sides -> score document and per-example table."""

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.score import ScoreFiles, score_dumps

    score_dumps(
        tuned=call.inputs.pop("tuned", None),
        dumps=call.inputs,
        **call.told,
        out=ScoreFiles(**dict(snakemake.output.items())),
        method=snakemake.wildcards.method,
    )
