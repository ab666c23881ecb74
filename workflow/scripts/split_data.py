"""dataset.npz -> split.npz."""

from unlearning_metric.devices import limit_threads
from unlearning_metric.handover import job
from unlearning_metric.importing import importing

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.split_data import split_data

    split_data(
        **call.arguments,
        out=snakemake.output[0],
    )
