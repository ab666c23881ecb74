"""Several experiments from one command, one after another, each through Snakemake.

    python workflow/sweep.py config/sweep_example.yaml                                    all of them
    python workflow/sweep.py config/sweep_example.yaml --workflow-profile profiles/slurm  options go to Snakemake
    python workflow/sweep.py config/sweep_example.yaml -n                                 what would run

Before an experiment runs it is given what the others have made of it already; at the end their leaderboards are put
side by side.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from unlearning_metric import config
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.workflow_files import method_folders, methods_of
from unlearning_metric.upkeep.sweep import outdated, read_sweep, share, write_comparison

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = 130
# As Snakemake reads them: abbreviated, beside other letters, or with a value attached.
DRY = re.compile(r"--dry.*|-[kpFfqr]*n.*")
NOT_HERE = ("-C", "--conf")


class ToldToEnd(KeyboardInterrupt):
    """SIGTERM: what a scheduler or ``kill`` sends, to this process alone."""


def told_to_end(*_: object) -> None:
    """Handler of SIGTERM."""
    raise ToldToEnd


def snakemake(options: list[str]) -> int:
    """Run Snakemake and wait for its end, even where the terminal interrupts: it ends its jobs and drops its locks."""
    process = subprocess.Popen([sys.executable, "-m", "snakemake", *options])
    interrupted = False
    while True:
        try:
            process.wait()
        except ToldToEnd:
            # Snakemake finishes the jobs that run.
            process.terminate()
            interrupted = True
        except KeyboardInterrupt:
            # The terminal told Snakemake too.
            interrupted = True
        else:
            return INTERRUPTED if interrupted else process.returncode


def main(arguments: list[str]) -> int:
    """Exit status: 0: every experiment was finished, 1: one was not, 2: a mistake, 130: ctrl-C or SIGTERM."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    file, *options = arguments
    if any(option.startswith(NOT_HERE) for option in options):
        print(f"Say in {file} what the configuration is: --config and --configfile would reach every experiment.",
              file=sys.stderr)  # fmt: skip
        return 2
    dry = any(map(DRY.fullmatch, options))
    plans, files, problems = {}, {}, []
    with tempfile.TemporaryDirectory() as aside:
        try:
            methods = methods_of(method_folders(ROOT, ROOT))
            sweep = read_sweep(file)
            for name, raw in sweep.experiments.items():
                folder = sweep.results / name
                # A dry run leaves the results as they are.
                path = files[name] = Path(aside, f"{name}.yaml") if dry else folder / "config.yaml"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
                try:
                    plans[name] = Plan(config.load([path], {}, methods, path), methods)
                except config.ConfigError as error:
                    # That file is written anew at each start: what is to be mended is the user's.
                    problems.append(f"{file}, experiments.{name}: {str(error).removeprefix(f'{path} ')}")
        except config.ConfigError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{file}: nothing can be written to {error.filename}: {error.strerror}. Change results.")
        if problems:
            print("\n".join(problems), file=sys.stderr)
            return 2
        unfinished = []
        for name, plan in plans.items():
            if not dry:
                others = [sweep.results / other for other in plans if other != name]
                others += [sweep.bank] if sweep.bank is not None else []
                taken = share(plan, sweep.results / name, others)
                print(f"{name}: {len(taken)} files shared with the other experiments", flush=True)
            elif lost := outdated(plan, sweep.results / name):
                print(
                    f"{name}: {len(lost)} files that other experiments gave it, {lost[0]} first, are of an earlier "
                    "configuration. A run takes them away and makes them anew; until then nothing can be planned.",
                    flush=True,
                )
                continue
            status = snakemake(["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(files[name]), *options])
            if status == INTERRUPTED:
                print(f"Interrupted in experiment {name}. The same command goes on from there.", file=sys.stderr)
                return INTERRUPTED
            if status:
                unfinished.append(name)
    comparison = None if dry else write_comparison(sweep, plans)
    if comparison is not None:
        print(f"\nExperiments side by side: {comparison}\n\n{comparison.read_text(encoding='utf-8')}")
    if unfinished:
        print(f"Not finished: {', '.join(unfinished)}", file=sys.stderr)
    return int(bool(unfinished))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, told_to_end)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from there.", file=sys.stderr)
        sys.exit(INTERRUPTED)
