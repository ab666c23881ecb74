"""All score documents -> leaderboard, figures and the report."""


localrules:
    leaderboard,


rule leaderboard:
    input:
        unpack(leaderboard_inputs),
    output:
        document=f"{RESULTS}/leaderboard.json",
        csv=f"{RESULTS}/leaderboard.csv",
        md=f"{RESULTS}/leaderboard.md",
        tex=f"{RESULTS}/leaderboard.tex",
        html=report(
            f"{RESULTS}/leaderboard.html",
            caption="../report/leaderboard.rst",
            category="Leaderboard",
        ),
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


rule report:
    input:
        unpack(report_inputs),
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Leaderboard",
        ),
        pictures=report(
            expand(f"{RESULTS}/figures/{{name}}.png", name=FIGURES),
            caption="../report/figures.rst",
            category="Figures",
        ),
        prints=expand(f"{RESULTS}/figures/{{name}}.pdf", name=FIGURES),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        key=PLAN.report_origin().key,
        shards=lambda wildcards, output: {
            group: len(PLAN.group_shards(group)) for group in REPORTED
        },
        dump_keys=lambda wildcards, output: {
            group: PLAN.dump_origin(group).key for group in REPORTED
        },
        score_keys=lambda wildcards, output: dict(PLAN.leaderboard_origin().inputs),
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        board_key=PLAN.leaderboard_origin().key,
        method_files=lambda wildcards, output: [
            os.path.relpath(PLAN.method_file(name)) for name in PLAN.scored_methods
        ],
        provenance=lambda wildcards, output: PLAN.report_origin().header(),
    script:
        "../scripts/report.py"
