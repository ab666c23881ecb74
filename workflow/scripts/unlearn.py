"""Original models, a method file -> a shard of unlearned models."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised
from unlearning_metric.store.shards import shard_models

with supervised(snakemake.log[0], snakemake.params.key), job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.unlearn import unlearn_shard

    unlearn_shard(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        split=snakemake.input.split,
        split_key=snakemake.params.split_key,
        originals=list(snakemake.input.originals),
        originals_key=snakemake.params.originals_key,
        oracles=list(snakemake.input.get("oracles", [])),
        oracles_key=snakemake.params.oracles_key,
        method_file=snakemake.input.method,
        out=snakemake.output[0],
        method=snakemake.wildcards.method,
        models=shard_models(snakemake.wildcards.shard),
        settings=snakemake.params.settings,
        max_seconds=snakemake.params.max_seconds,
        device=snakemake.resources.device,
        provenance=snakemake.params.provenance,
    )
