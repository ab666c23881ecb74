"""dataset.npz -> difficulty.npz."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised

with supervised(snakemake.log[0], snakemake.params.key), job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.difficulty import measure_difficulty

    measure_difficulty(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        out=snakemake.output[0],
        settings=snakemake.params.settings,
        device=snakemake.resources.device,
        provenance=snakemake.params.provenance,
    )
