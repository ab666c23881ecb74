"""Data source -> dataset.npz."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing

with job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.prepare_data import prepare_data

    prepare_data(
        snakemake.output[0],
        snakemake.params.settings,
        snakemake.params.experiment_seed,
        snakemake.params.provenance,
    )
