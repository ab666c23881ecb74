"""`python -m unlearning_metric bank make | check | open`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unlearning_metric import config
from unlearning_metric.bank import BankError
from unlearning_metric.bank.fetch import fetch, is_remote
from unlearning_metric.bank.record import Opened, Record
from unlearning_metric.errors import UserError
from unlearning_metric.plan.workflow_files import plan_in

#: Problems that a doctor may find in a folder of which a bank is made: what it lacks besides.
_HARMLESS = frozenset({"missing"})


def add_bank(commands: Any) -> None:
    """Add the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "bank",
        help="pack retrained models' outputs into one file, look at one, or open one",
        description="A bank is one file with what a method's score needs besides the method: see docs/banks.md.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("make", help="pack a results folder, or arrays of models trained elsewhere")
    make.add_argument("results", nargs="?", help="a results folder; without it, --retrained")
    make.add_argument("-o", "--output", required=True, metavar="ZIP", help="the bank")
    make.add_argument("--title", help="what it is called; default: as the file")
    make.add_argument("--licence", default="not stated", help="such as CC-BY-4.0")
    make.add_argument("--citation", default="", help="how it is to be cited")
    make.add_argument("--with-data", action="store_true", help="pack the data set, where its licence allows that")
    make.add_argument("--configfile", nargs="+", default=[], help="of the results; default: config/config.yaml")
    make.add_argument("--workflow", default=".", help="folder of the Snakefile; default: the current one")
    make.add_argument("--retrained", metavar="NPZ", help="outputs of models trained without the forget set")
    make.add_argument("--original", metavar="NPZ", help="outputs of the original model or models")
    make.add_argument("--ceiling", metavar="NPZ", help="outputs of a second set of retrained models")
    make.add_argument("--forget", metavar="FILE", help="which columns of the arrays are the forget examples: indices")
    make.add_argument("--delta", type=float, default=1e-5, help="of (epsilon, delta)-unlearning; default: 1e-5")
    make.add_argument("--seed", type=int, default=0, help="of splits and subsets; default: 0")
    make.set_defaults(run=run_make)
    for name, run, text in (
        ("check", run_check, "hold every byte of a bank against what it says, and say what is in it"),
        ("open", run_open, "make a folder of a bank, in which methods are scored"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("bank", help="a zip file, https://..., or doi:10.5281/zenodo.123/bank.zip")
        if name == "open":
            action.add_argument("folder", help="a new one")
        action.add_argument("--sha256", help="that the file must have")
        action.set_defaults(run=run)


Command = Callable[[argparse.Namespace], int]


def _reported(run: Command) -> Command:
    """A command whose refusals are messages and the exit status 2."""

    def wrapped(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except UserError as error:
            print(error, file=sys.stderr)
            return 2

    return wrapped


def found_bank(source: str, sha256: str | None = None) -> Path:
    """The file of a bank that is named by path, URL or DOI. Raises `BankError` where it cannot be had."""
    if is_remote(source):
        return fetch(source, sha256)
    path = Path(source)
    if sha256 is not None and path.is_file():
        from unlearning_metric.bank.digests import digests

        found, wanted = digests(path)[0], sha256.lower().removeprefix("sha256:")
        if found != wanted:
            raise BankError(
                f"{path} is not the bank that was asked for: its sha256 is {found}, --sha256 says {wanted}."
            )
    return path


@_reported
def run_check(arguments: argparse.Namespace) -> int:
    """Check a bank and print what is in it; 2 where it is refused."""
    from unlearning_metric.bank.unpack import check_bank

    print("\n".join(_lines(check_bank(found_bank(arguments.bank, arguments.sha256)))))
    return 0


@_reported
def run_open(arguments: argparse.Namespace) -> int:
    """Make a folder of a bank; 2 where it is refused."""
    from unlearning_metric.bank.unpack import open_bank

    path = found_bank(arguments.bank, arguments.sha256)
    opened = open_bank(path, arguments.folder)
    print("\n".join([*_lines(opened), "", *_next_steps(opened, arguments.folder, path)]))
    return 0


def _lines(opened: Opened) -> list[str]:
    record = opened.record
    settings = record.settings
    lines = [
        f"{opened.name}: {record.title}",
        f"sha256 {opened.sha256}",
        f"{record.copies} retrained models, {record.originals} original; data {settings['data']['source']}, "
        f"net {settings['model'].get('name') or settings['model'].get('file')}, forget set "
        f"{settings['forget']['strategy']}; made {record.made} by unlearning-metric {record.package}",
        f"licence: {record.licence}",
    ]
    if record.ceiling is not None:
        interval = record.ceiling["interval"]
        within = "" if interval is None else f" (95 %: {interval[0]:.4f} to {interval[1]:.4f})"
        lines.append(f"ceiling {record.ceiling['score']:.4f}{within}")
    if record.seconds is not None:
        lines.append(
            f"a retraining took {record.seconds:.3g} s on {record.machine.get('system', 'an unknown machine')}"
        )
    if record.citation:
        lines.append(f"cite: {record.citation}")
    lines.append(f"every byte fits: {len(record.files)} files of results")
    return lines


def _next_steps(opened: Opened, folder: str, path: Path) -> list[str]:
    record = opened.record
    if record.kind == "arrays":
        return [f"It holds outputs, no models. Score yours: python -m unlearning_metric score --bank {path} "
                "--unlearned mine.npz"]  # fmt: skip
    lines = [f"Opened in {folder}. To score a method: name it under methods in {folder}/config.yaml, then"]
    if record.needs:
        lines = [
            f"Opened in {folder}. It does not hold, and needs beside {folder}/config.yaml: "
            + ", ".join(f"{need.name} ({need.key}, fingerprint {need.fingerprint})" for need in record.needs),
            *lines[1:],
        ]
    lines.append(f"    cd {folder}")
    if record.data is not None and not record.data["included"]:
        lines.append("    snakemake --snakefile <checkout>/Snakefile --cores 1 --force results/data/dataset.npz")
    return [*lines, "    snakemake --snakefile <checkout>/Snakefile --cores 1 results/score_<method>.json"]


@_reported
def run_make(arguments: argparse.Namespace) -> int:
    """Make a bank; 2 where that is refused."""
    if (arguments.results is None) == (arguments.retrained is None):
        raise BankError(
            "bank make: name a results folder, or outputs of models trained elsewhere with --retrained, and not both."
        )
    if not arguments.output.endswith(".zip"):
        raise BankError(f"bank make: -o {arguments.output}: a bank is a zip file. Name it so.")
    if Path(arguments.output).exists():
        raise BankError(f"bank make: {arguments.output} is there. Delete it, or name another file.")
    record = _of_arrays(arguments) if arguments.results is None else _of_results(arguments)
    size = Path(arguments.output).stat().st_size
    print(f"{arguments.output}: {size / 1e6:.2f} MB, {record.copies} retrained models, {len(record.files)} files")
    return 0


def _words(arguments: argparse.Namespace) -> Any:
    from unlearning_metric.bank.make import Words

    return Words(arguments.title or Path(arguments.output).stem, arguments.licence, arguments.citation)


def _of_results(arguments: argparse.Namespace) -> Record:
    from unlearning_metric.bank.make import make_bank
    from unlearning_metric.upkeep.doctor import examine

    try:
        plan = plan_in(Path(arguments.workflow), arguments.configfile)
    except config.ConfigError as error:
        raise BankError(str(error)) from error
    results = Path(arguments.results)
    if not results.is_dir():
        raise BankError(f"{results} is no folder of results. No bank was made.")
    faults = [problem for problem in examine(plan, results) if problem.kind not in _HARMLESS]
    if faults:
        listed = "\n".join(map(str, faults[:20]))
        raise BankError(f"No bank was made of {results}, in which the doctor finds {len(faults)} faults. Mend them "
                        f"first:\n{listed}")  # fmt: skip
    return make_bank(plan, results, arguments.output, _words(arguments), arguments.with_data)


def _of_arrays(arguments: argparse.Namespace) -> Record:
    from unlearning_metric.bank.make import make_bank_of_arrays
    from unlearning_metric.jobs.output_files import checked_sides
    from unlearning_metric.jobs.score_elsewhere import given_settings

    named = {"retrained": arguments.retrained, "originals": arguments.original, "ceiling": arguments.ceiling}
    files = {name: path for name, path in named.items() if path is not None}
    if not 0.0 < arguments.delta < 1.0 or arguments.seed < 0:
        raise BankError("bank make: --delta lies strictly between 0 and 1, and --seed is at least 0.")
    arrays, sides = checked_sides(files, arguments.forget)
    settings = given_settings(
        len(sides["retrained"]), arguments.ceiling is not None, arguments.delta, arguments.seed, 0.2
    )
    return make_bank_of_arrays(arrays, sides, settings, arguments.output, _words(arguments))
