"""dataset.npz, a checkpoint of the user's -> the original model."""

from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised
from unlearning_metric.upkeep.handover import job

with supervised(snakemake.log[0], snakemake.params.key), job(snakemake) as call:
    with importing():
        prepare("cpu", snakemake.threads)
        from unlearning_metric.jobs.import_original import import_original

    import_original(
        **call.arguments,
        out=snakemake.output[0],
    )
