"""Outputs of models made elsewhere -> a shard of per-example outputs."""

from unlearning_metric.devices import limit_threads
from unlearning_metric.handover import job
from unlearning_metric.importing import importing
from unlearning_metric.shards import shard_models

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.import_dump import import_dump

    import_dump(
        **call.arguments,
        out=snakemake.output[0],
        method=snakemake.wildcards.method,
        models=shard_models(snakemake.wildcards.shard),
    )
