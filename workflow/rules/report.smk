"""All score documents -> leaderboard, figures and the report."""


rule leaderboard:
    input:
        unpack(needs("leaderboard")),
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
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        key=key_of("leaderboard"),
        step=told("leaderboard"),
    script:
        "../scripts/leaderboard.py"


rule report:
    input:
        unpack(needs("report")),
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
        ENVIRONMENT
    # Nothing else is left to do when the figures are drawn.
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        key=key_of("report"),
        step=told("report"),
    script:
        "../scripts/report.py"
