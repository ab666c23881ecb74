"""All score documents -> leaderboard."""


localrules:
    leaderboard,


rule leaderboard:
    input:
        unpack(leaderboard_inputs),
    output:
        document=f"{RESULTS}/leaderboard.json",
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
        key=PLAN.leaderboard_origin().key,
        exclude_slow=lambda wildcards, output: CONFIG.efficiency.exclude,
        score_keys=lambda wildcards, output: dict(PLAN.leaderboard_origin().inputs),
        provenance=lambda wildcards, output: PLAN.leaderboard_origin().header(),
    script:
        "../scripts/leaderboard.py"
