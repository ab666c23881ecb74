"""The first original model, a method file -> check_<method>.json."""

from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
from unlearning_metric.runtime.supervision import supervised
from unlearning_metric.upkeep.handover import job

with supervised(snakemake.log[0], snakemake.params.key), job(snakemake) as call:
    with importing():
        gpu = prepare(snakemake.resources.device, snakemake.threads)
        from unlearning_metric.jobs.check import check_method
        from unlearning_metric.jobs.unlearn import BenchFiles

    check_method(
        BenchFiles(**call.inputs),
        **call.told,
        out=snakemake.output[0],
        device=snakemake.resources.device,
    )
