"""Dumps of both sides -> score document and per-example table."""

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.score import score_dumps

    score_dumps(
        dumps=call.inputs,
        **call.told,
        out=snakemake.output.score,
        samples_out=snakemake.output.samples,
        replicates_out=snakemake.output.replicates,
        method=snakemake.wildcards.method,
    )
