"""Data source -> dataset.npz."""

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.prepare_data import prepare_data

    prepare_data(
        **call.arguments,
        out=snakemake.output[0],
    )
