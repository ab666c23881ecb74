"""dataset.npz, a checkpoint of the user's -> the original model."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised

with supervised(snakemake.log[0], snakemake.params.key), job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        prepare("cpu", snakemake.threads)
        from unlearning_metric.jobs.import_original import import_original

    import_original(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        checkpoint=snakemake.input.checkpoint,
        out=snakemake.output[0],
        model_settings=snakemake.params.model_settings,
        provenance=snakemake.params.provenance,
    )
