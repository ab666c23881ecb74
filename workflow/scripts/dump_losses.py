"""A shard of models -> per-example outputs in parquet."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised
from unlearning_metric.store.shards import shard_models

with supervised(snakemake.log[0], snakemake.params.key), job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.dump_losses import dump_losses

    dump_losses(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        split=snakemake.input.split,
        split_key=snakemake.params.split_key,
        shard=snakemake.input.models,
        shard_key=snakemake.params.models_key,
        models=shard_models(snakemake.wildcards.shard),
        model_settings=snakemake.params.model_settings,
        out=snakemake.output[0],
        device=snakemake.resources.device,
        on_diverged=snakemake.resources.on_diverged,
        provenance=snakemake.params.provenance,
    )
