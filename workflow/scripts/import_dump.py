"""Outputs of models made elsewhere -> a shard of per-example outputs."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.store.shards import shard_models

with job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.import_dump import import_dump

    import_dump(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        split=snakemake.input.split,
        split_key=snakemake.params.split_key,
        dump=snakemake.input.dump,
        method=snakemake.wildcards.method,
        models=shard_models(snakemake.wildcards.shard),
        copies=snakemake.params.copies,
        out=snakemake.output[0],
        provenance=snakemake.params.provenance,
    )
