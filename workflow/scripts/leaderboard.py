"""All score documents -> leaderboard."""

from pathlib import Path

from unlearning_metric.progress import job_log
from unlearning_metric.runtime.devices import limit_threads
from unlearning_metric.runtime.imports import importing

with job_log(snakemake.log[0], snakemake.params.key):
    with importing():
        limit_threads(snakemake.threads)
        from unlearning_metric.leaderboard.board import write_leaderboard

    folder = Path(snakemake.output.document).parent
    keys = snakemake.params.score_keys
    scores = dict(zip(keys, snakemake.input.scores, strict=True))
    replicates = dict(zip(keys, snakemake.input.replicates, strict=True))
    exclude_slow = snakemake.params.exclude_slow
    write_leaderboard(folder, scores, replicates, keys, snakemake.params.provenance, exclude_slow=exclude_slow)
