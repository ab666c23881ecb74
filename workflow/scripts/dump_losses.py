"""A shard of models -> per-example outputs in parquet."""

from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised
from unlearning_metric.upkeep.handover import job

with supervised(snakemake.log[0], snakemake.params.key), job(snakemake) as call:
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.dump_losses import dump_losses

    dump_losses(
        **call.arguments,
        out=snakemake.output[0],
        device=snakemake.resources.device,
        on_diverged=snakemake.resources.on_diverged,
    )
