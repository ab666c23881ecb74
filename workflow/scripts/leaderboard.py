"""All score documents -> leaderboard."""

from pathlib import Path

from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing
from unlearning_metric.upkeep.handover import job

with job(snakemake) as call:
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.leaderboard.board import write_leaderboard

    methods = call.told["keys"]
    write_leaderboard(
        folder=Path(snakemake.output.document).parent,
        scores=dict(zip(methods, call.inputs["scores"], strict=True)),
        replicates=dict(zip(methods, call.inputs["replicates"], strict=True)),
        **call.told,
    )
