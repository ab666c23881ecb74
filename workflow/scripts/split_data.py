"""dataset.npz -> split.npz."""

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.split_data import split_data

    split_data(
        **call.arguments,
        out=snakemake.output[0],
    )
