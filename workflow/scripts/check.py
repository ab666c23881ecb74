"""The first original model, a method file -> check_<method>.json."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised

with supervised(snakemake.log[0], snakemake.params.key), job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.check import check_method

    check_method(
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        split=snakemake.input.split,
        split_key=snakemake.params.split_key,
        original=snakemake.input.original,
        original_key=snakemake.params.original_key,
        oracles=list(snakemake.input.get("oracles", [])),
        oracles_key=snakemake.params.oracles_key,
        retrained=dict(snakemake.params.retrained),
        method_file=snakemake.input.method,
        out=snakemake.output[0],
        method=snakemake.wildcards.method,
        settings=snakemake.params.settings,
        max_seconds=snakemake.params.max_seconds,
        device=snakemake.resources.device,
        copies=snakemake.params.copies,
        limit=snakemake.params.limit,
        provenance=snakemake.params.provenance,
    )
