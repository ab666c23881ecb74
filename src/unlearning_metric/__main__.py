"""Commands: `unlearning-metric init`, `doctor`, `shard-size`, `score`, `bank`, `compare`.

Also `python -m unlearning_metric`.
"""

from __future__ import annotations

import argparse
import logging
import math
import shlex
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from unlearning_metric import __version__, config
from unlearning_metric.bank import BankError, opened_bank
from unlearning_metric.commands.bank import add_bank, found_bank
from unlearning_metric.commands.compare import add_compare
from unlearning_metric.plan.shard_size import (
    USED,
    advise,
    asked_minutes,
    measured_model_seconds,
    measured_start_seconds,
)
from unlearning_metric.plan.workflow_files import absent_packages, plan_in
from unlearning_metric.progress import print_anyway
from unlearning_metric.runtime.devices import resolve
from unlearning_metric.store.files import StoreError
from unlearning_metric.upkeep.doctor import by_other_code, examine
from unlearning_metric.upkeep.new_folder import FolderError, write_folder


def doctor(arguments: argparse.Namespace) -> int:
    """Print one line a problem; 1 where a file is stale, damaged or foreign, 2 for a configuration error."""
    root = Path(arguments.workflow)
    try:
        plan = plan_in(root, arguments.configfile)
        settings = plan.config
        bank = opened_bank(arguments.results or settings.results)
    except (config.ConfigError, BankError) as error:
        print(error, file=sys.stderr)
        return 2
    results = Path(arguments.results or settings.results)
    problems = []
    for problem in examine(plan, results):
        print(problem, flush=True)
        problems.append(problem.kind)
    if bank is not None:
        print(f"note: {bank.line}")
    made_earlier = by_other_code(plan, results)
    if made_earlier:
        print(
            "note: made by other code of the same versions, and as good: "
            + ", ".join(f"{step} {count} {'file' if count == 1 else 'files'}" for step, count in made_earlier.items())
            + ". To make some anew all the same: snakemake --forcerun <rule>"
        )
    counts = Counter(problems)
    files = sum(1 for _ in plan.artifacts())
    print(
        f"{results}: {files} files belong to this configuration; "
        + ", ".join(f"{counts[kind]} {kind}" for kind in ("missing", "stale", "damaged", "unreadable", "foreign"))
    )
    return int(bool(problems) and set(problems) != {"missing"})


def init(arguments: argparse.Namespace) -> int:
    """Write a folder in which the workflow runs; 2 where it cannot be written."""
    folder = Path(arguments.folder)
    try:
        written = write_folder(folder)
    except FolderError as error:
        print(error, file=sys.stderr)
        return 2
    for part in written.kept:
        print(f"{folder / part}: kept as it is; the package's differs")
    command = f"cd {shlex.quote(str(folder))} && snakemake"
    print(f"{folder}: {len(written.new)} files written. Run the default experiment: {command}")
    if absent_packages() or find_spec("snakemake") is None:
        print("That needs more than is installed here: pip install 'unlearning-metric[all]'")
    return 0


def shard_size(arguments: argparse.Namespace) -> int:
    """Print how many models a job should hold; 2 where nothing is known of a model's time."""
    root = Path(arguments.workflow)
    try:
        plan = plan_in(root, arguments.configfile)
        settings = plan.config
        results = arguments.results or settings.results
        device = resolve(settings.device)
        # On a GPU an original trains alone, and the retrained models side by side.
        groups = ("retain", "full") if device == "cuda" else ("full", "retain")
        keys = {group: plan.training_origin(group).key for group in groups}
        each = arguments.model_seconds or measured_model_seconds(results, keys)
    except (config.ConfigError, StoreError) as error:
        print(error, file=sys.stderr)
        return 2
    if each is None:
        # An original that was trained elsewhere tells no time.
        group = "full" if settings.original is None else "retain"
        target = shlex.quote(f"{results}/{plan.model_files(group)[0]}")
        print(
            f"{results} holds no model of this configuration that was trained here, whose time would say how long one "
            f"takes. Train one job of them, and nothing else: snakemake {target}"
            f"{config.configfile_option(arguments.configfile)}   Or give --model-seconds.",
            file=sys.stderr,
        )
        return 2
    start = arguments.start_seconds or measured_start_seconds(device)
    advice = advise(settings.copies, each, start, arguments.runtime, side_by_side=device == "cuda")
    print(
        f"shard_size: {advice.size}\n"
        f"A model takes {each:.2f} s, a job's start {start:.1f} s: a job of {advice.size} of the {settings.copies} "
        f"models takes {advice.minutes:.1f} min, {100 * advice.share:.1f} % of it for starting. From {advice.least} "
        "models on that is under 5 %."
    )
    if device == "cuda":
        print("On a GPU the models of a job train side by side: this is the largest job within half of --runtime.")
    if not advice.fits and advice.least > settings.copies:
        print(
            f"All {settings.copies} models in one job would not keep starting under 5 %: models this quick are done "
            "soon whatever the size of a job."
        )
    elif not advice.fits:
        print(
            f"No divisor of {settings.copies} keeps starting under 5 % and a job within half of --runtime "
            f"{arguments.runtime:g} min. Raise the runtime of the rules in the profile, or choose copies with more "
            "divisors."
        )
    if advice.minutes > USED * asked_minutes(advice.size):
        runtime = math.ceil(advice.minutes / USED)
        runtime = runtime if math.isinf(arguments.runtime) else max(arguments.runtime, runtime)
        print(
            f"The rules ask a cluster for {asked_minutes(advice.size)} min for such a job, less than twice what it "
            f"takes. Say in the profile: set-resources: {{train_full: {{runtime: {runtime:g}}}, train_retain: "
            f"{{runtime: {runtime:g}}}, unlearn: {{runtime: {runtime:g}}}}}"
        )
    return 0


def score(arguments: argparse.Namespace) -> int:
    """Score arrays of models trained elsewhere and print the leaderboard; 2 where a file does not fit."""
    # Here: the doctor needs no numba.
    from unlearning_metric.bank.sides import read_sides
    from unlearning_metric.jobs.score_elsewhere import score_elsewhere, score_with_bank
    from unlearning_metric.outputs.external import DumpError

    # Many examples take minutes: how far it is goes to the terminal.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = {
        "--retrained": arguments.retrained,
        "--original": arguments.original,
        "--ceiling": arguments.ceiling,
        "--delta": arguments.delta,
        "--seed": arguments.seed,
        "--efficiency-limit": arguments.efficiency_limit,
    }
    try:
        if arguments.bank is not None:
            if both := [name for name, value in given.items() if value is not None]:
                raise BankError(f"score: {', '.join(both)}: the bank says that. Leave it out, or leave out --bank.")
            sides = read_sides(found_bank(arguments.bank))
            text = score_with_bank(sides, arguments.unlearned, arguments.out)
        elif arguments.retrained is None:
            raise BankError(
                "score: --retrained, outputs of models trained without the forget set, or --bank is needed."
            )
        else:
            text = score_elsewhere(
                arguments.retrained,
                arguments.unlearned,
                arguments.out,
                arguments.original,
                arguments.ceiling,
                1e-5 if arguments.delta is None else arguments.delta,
                arguments.seed or 0,
                arguments.efficiency_limit or 0.2,
            )
    except (BankError, DumpError, StoreError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{text}\nWritten to {arguments.out}: score_<name>.json, samples_<name>.parquet, leaderboard.csv, .md, .json")
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _finite(text: str) -> float:
    value = _positive(text)
    if math.isinf(value):
        raise argparse.ArgumentTypeError(f"{text} is not finite")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} does not lie strictly between 0 and 1")
    return value


def command_parser() -> argparse.ArgumentParser:
    """The parser of all commands; ``run`` of what it parsed is the function of one."""
    parser = argparse.ArgumentParser(prog="python -m unlearning_metric")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("init", help="write a folder in which the workflow runs")
    new.add_argument("folder", help="the folder; files that are in it already stay as they are")
    new.set_defaults(run=init)
    check = commands.add_parser("doctor", help="hold a results folder against the configuration")
    check.add_argument("--configfile", nargs="+", default=[], help="instead of config/config.yaml")
    check.add_argument("--results", help="the folder to look at; default: the configuration's")
    check.add_argument("--workflow", default=".", help="folder of the Snakefile; default: the current one")
    check.set_defaults(run=doctor)
    shards = commands.add_parser("shard-size", help="how many models a job should hold")
    shards.add_argument("--configfile", nargs="+", default=[], help="instead of config/config.yaml")
    shards.add_argument("--results", help="where an original model is; default: the configuration's")
    shards.add_argument("--workflow", default=".", help="folder of the Snakefile; default: the current one")
    shards.add_argument("--runtime", type=_positive, default=60, help="time limit of a job, minutes; default: 60")
    shards.add_argument("--model-seconds", type=_finite, help="default: as the original model took")
    shards.add_argument(
        "--start-seconds", type=_finite, help="of a job; default: measured here. A cluster adds about 5"
    )
    shards.set_defaults(run=shard_size)
    outside = commands.add_parser(
        "score",
        help="score outputs of models trained elsewhere",
        description="Score npz files with arrays [models, examples] of the forget examples: confidence, loss, or "
        "logits [models, examples, classes] with labels. Optional: examples, labels, groups, correct, seconds; "
        "test_loss and the like for probe_, validation_ and test_; retain_accuracy, test_accuracy. See "
        "docs/scoring-elsewhere.md.",
    )
    outside.add_argument("--retrained", metavar="NPZ", help="models trained without the forget set")
    outside.add_argument("--bank", help="a bank in place of --retrained, --original and --ceiling: file, URL or DOI")
    outside.add_argument(
        "--unlearned", required=True, nargs="+", metavar="NPZ", help="one file a method, named after it"
    )
    outside.add_argument("--original", metavar="NPZ", help="the original model or models, for the floor")
    outside.add_argument("--ceiling", metavar="NPZ", help="a second set of retrained models; default: half-splits")
    outside.add_argument("--out", default=".", metavar="FOLDER", help="where the files go; default: here")
    outside.add_argument("--delta", type=_share, help="of (epsilon, delta)-unlearning; default: 1e-5")
    outside.add_argument("--seed", type=_whole, help="of splits and subsets; default: 0")
    outside.add_argument("--efficiency-limit", type=_finite, help="share of a retraining; default: 0.2")
    outside.set_defaults(run=score)
    add_bank(commands)
    add_compare(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status."""
    print_anyway()
    arguments = command_parser().parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
