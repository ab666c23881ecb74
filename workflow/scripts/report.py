"""Leaderboard, scores and outputs -> report.html and the figures."""

from pathlib import Path

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing

with job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.jobs.report import write_report

    paths = iter(snakemake.input.dumps)
    write_report(
        results=Path(snakemake.output.page).parent,
        dumps={group: [next(paths) for _ in range(count)] for group, count in snakemake.params.shards.items()},
        keys=snakemake.params.dump_keys,
        score_keys=snakemake.params.score_keys,
        dataset=snakemake.input.dataset,
        dataset_key=snakemake.params.dataset_key,
        board_key=snakemake.params.board_key,
        method_files=dict(zip(snakemake.params.score_keys, snakemake.params.method_files, strict=True)),
        provenance=snakemake.params.provenance,
    )
