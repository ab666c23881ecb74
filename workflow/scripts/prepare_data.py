"""Data source -> dataset.npz."""

from unlearning_metric.devices import limit_threads
from unlearning_metric.handover import job
from unlearning_metric.importing import importing

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.prepare_data import prepare_data

    prepare_data(
        **call.arguments,
        out=snakemake.output[0],
    )
