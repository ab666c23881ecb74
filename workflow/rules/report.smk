"""All score documents -> leaderboard."""


localrules:
    leaderboard,


rule leaderboard:
    input:
        scores=score_files(),
    output:
        csv=f"{RESULTS}/leaderboard.csv",
        md=f"{RESULTS}/leaderboard.md",
    log:
        f"{RESULTS}/logs/leaderboard.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        key=PLAN.leaderboard_key(),
    script:
        "../scripts/leaderboard.py"
