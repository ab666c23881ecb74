"""dataset.npz, a checkpoint of the user's -> the original model."""

from unlearning_metric.devices import prepare
from unlearning_metric.handover import job
from unlearning_metric.importing import importing

with job(snakemake) as call:
    with importing():
        prepare("cpu", snakemake.threads)
        from unlearning_metric.jobs.import_original import import_original

    import_original(
        **call.arguments,
        out=snakemake.output[0],
    )
