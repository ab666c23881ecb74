"""Scores machine-unlearning methods with the NeurIPS 2023 Unlearning Challenge metric.

snakemake                                  everything in the configuration
snakemake results/score_<method>.json      one method; builds only what is missing
snakemake results/check_<method>.json      one copy: does the method fit the contract, and what does it do?
"""

import gc

from snakemake.utils import min_version

min_version("9.20")
# What is loaded and planned here lives as long as the run: walking it again and again took a fifth of a dry run.
gc.disable()


include: "workflow/rules/folders.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/graph.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/unlearn.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/losses.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"


if PLAN.tuning is not None:

    include: "workflow/rules/tune.smk"


gc.freeze()
gc.enable()


rule all:
    input:
        f"{RESULTS}/leaderboard.json",
        f"{RESULTS}/leaderboard.csv",
        f"{RESULTS}/leaderboard.md",
        f"{RESULTS}/report.html",
        expand(f"{RESULTS}/score_{{method}}.json", method=PLAN.scored_methods),
        expand(f"{RESULTS}/samples_{{method}}.parquet", method=PLAN.scored_methods),
    localrule: True


onstart:
    handle_apart(signal.SIGTERM)
    hand_over()
    share_libraries()


onsuccess:
    print(finished_message())


onerror:
    print(failed_message())
