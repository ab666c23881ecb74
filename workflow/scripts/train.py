"""dataset.npz, split.npz -> a shard of models trained from scratch."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised
from unlearning_metric.store.shards import shard_models

with supervised(snakemake.log[0], snakemake.params.key), job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.train import train_shard

    train_shard(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        split=snakemake.input.split,
        split_key=snakemake.params.split_key,
        out=snakemake.output[0],
        role=snakemake.params.role,
        models=shard_models(snakemake.wildcards.shard),
        settings=snakemake.params.settings,
        device=snakemake.resources.device,
        provenance=snakemake.params.provenance,
    )
