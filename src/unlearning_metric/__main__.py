"""Commands that need no workflow: `python -m unlearning_metric doctor`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from unlearning_metric import config
from unlearning_metric.doctor import examine
from unlearning_metric.plan import Plan, find_methods


def doctor(arguments: argparse.Namespace) -> int:
    """Print one line a problem; 1 where a file is stale, damaged or foreign, 2 for a configuration error."""
    root = Path(arguments.workflow)
    methods = find_methods(root / "methods")
    try:
        settings = config.load(arguments.configfile, {}, methods, root / "config" / "config.yaml")
        plan = Plan(settings, methods, root / "workflow" / "scripts")
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    results = Path(arguments.results or settings.results)
    problems = []
    for problem in examine(plan, results):
        print(problem, flush=True)
        problems.append(problem.kind)
    counts = Counter(problems)
    files = sum(1 for _ in plan.artifacts())
    print(
        f"{results}: {files} files belong to this configuration; "
        + ", ".join(f"{counts[kind]} {kind}" for kind in ("missing", "stale", "damaged", "foreign"))
    )
    return int(bool(problems) and set(problems) != {"missing"})


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m unlearning_metric")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("doctor", help="hold a results folder against the configuration")
    check.add_argument("--configfile", nargs="+", default=[], help="instead of config/config.yaml")
    check.add_argument("--results", help="the folder to look at; default: the configuration's")
    check.add_argument("--workflow", default=".", help="folder of the Snakefile; default: the current one")
    check.set_defaults(run=doctor)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
