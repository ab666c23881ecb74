"""Leaderboard, scores and outputs -> report.html and the figures."""

from pathlib import Path

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.store.stored import StoredFiles
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(1)
        from unlearning_metric.jobs.report import write_report

    results = Path(snakemake.output.page).parent
    write_report(
        results=results,
        processes=snakemake.threads,
        dataset=call.inputs["dataset"],
        dumps={
            group: StoredFiles(
                [path for path in call.inputs["dumps"] if Path(path).parent == results / "losses" / group], key
            )
            for group, key in call.told.pop("keys").items()
        },
        **call.told,
    )
