"""Several experiments from one command, one after another, each through Snakemake.

    python workflow/sweep.py config/sweep_example.yaml                                    all of them
    python workflow/sweep.py config/sweep_example.yaml --workflow-profile profiles/slurm  options go to Snakemake
    python workflow/sweep.py config/sweep_example.yaml -n                                 what would run

Before an experiment runs it is given what the others have made of it already; at the end their leaderboards are put
side by side.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from unlearning_metric import config
from unlearning_metric.plan import Plan, find_methods
from unlearning_metric.sweep import read_sweep, share, write_comparison

ROOT = Path(__file__).resolve().parents[1]
DRY = {"-n", "--dry-run", "--dryrun"}
NOT_HERE = ("--config", "--configfile", "--configfiles", "-C")


def main(arguments: list[str]) -> int:
    """Exit status: 0 where every experiment was finished, 1 where one was not, 2 for a mistake in the file."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    file, *options = arguments
    if any(option.split("=")[0] in NOT_HERE for option in options):
        print(f"Say in {file} what the configuration is: --config and --configfile would reach every experiment.",
              file=sys.stderr)  # fmt: skip
        return 2
    methods = find_methods(ROOT / "methods")
    plans = {}
    try:
        sweep = read_sweep(file)
        for name, raw in sweep.experiments.items():
            path = sweep.results / name / "config.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
            plans[name] = Plan(config.load([path], {}, methods, path), methods, ROOT / "workflow" / "scripts")
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    unfinished = []
    for name, plan in plans.items():
        folder = sweep.results / name
        if not DRY & set(options):
            taken = share(plan, folder, [sweep.results / other for other in plans if other != name])
            print(f"{name}: {len(taken)} files shared with the other experiments", flush=True)
        command = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(folder / "config.yaml"), *options]
        if subprocess.run([sys.executable, "-m", "snakemake", *command]).returncode:
            unfinished.append(name)
    comparison = write_comparison(sweep)
    if comparison is not None:
        print(f"\nExperiments side by side: {comparison}\n\n{comparison.read_text(encoding='utf-8')}")
    if unfinished:
        print(f"Not finished: {', '.join(unfinished)}", file=sys.stderr)
    return int(bool(unfinished))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
