"""Outputs of models made elsewhere -> a shard of per-example outputs."""

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.import_dump import import_dump

    import_dump(
        **call.arguments,
        out=snakemake.output[0],
    )
