"""Dumps of both sides -> score document and per-example table."""

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing

with job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.score import score_dumps

    keys = dict(snakemake.params.dump_keys)
    score_dumps(
        dumps={name: list(snakemake.input.get(name)) for name in keys},
        keys=keys,
        out=snakemake.output.score,
        samples_out=snakemake.output.samples,
        replicates_out=snakemake.output.replicates,
        method=snakemake.wildcards.method,
        settings=snakemake.params.settings,
        on_diverged=snakemake.params.on_diverged,
        provenance=snakemake.params.provenance,
    )
