"""All score documents -> leaderboard."""

from unlearning_metric.devices import limit_threads
from unlearning_metric.progress import job_log

with job_log(snakemake.log[0]):
    limit_threads(snakemake.threads)
    from unlearning_metric.leaderboard import write_leaderboard

    write_leaderboard(snakemake.input.scores, snakemake.output.csv, snakemake.output.md)
