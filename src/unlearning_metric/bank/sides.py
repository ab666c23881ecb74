"""The reference side of a score, out of a bank."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unlearning_metric.bank.problems import BankError
from unlearning_metric.bank.record import RECORD, SIDES, Opened, opened_bank
from unlearning_metric.bank.unpack import open_bank_file
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.outputs.external import DumpError, ensemble_of, read_arrays
from unlearning_metric.store.files import read_npz

#: Side -> folder of its outputs within the results.
_GROUPS = {"retrained": "retain", "originals": "full", "ceiling": "unlearn/retrain"}


@dataclass(frozen=True)
class BankSides:
    """What a bank gives to a score.

    Attributes
    ----------
    opened : the bank
    sides : ``retrained``, and where it has them ``originals`` and ``ceiling``
    numbered : whether its outputs say which examples they are of
    """

    opened: Opened
    sides: Mapping[str, Ensemble]
    numbered: bool


def read_sides(bank: Path | str) -> BankSides:
    """The sides of a bank's file, or of a folder that was opened from one.

    Raises
    ------
    BankError
        As `unpack.open_bank_file`; or if the folder is none of a bank.
    StoreError
        If outputs in the folder are damaged, or not those of the bank.
    """
    with _files(Path(bank)) as (opened, folder):
        if opened.record.kind == "arrays":
            return _of_arrays(opened, folder)
        return _of_results(opened, folder)


@contextmanager
def _files(bank: Path) -> Iterator[tuple[Opened, Path]]:
    """The bank, and a folder that holds its outputs."""
    if bank.is_dir():
        opened = opened_bank(bank / Path(RECORD).parent)
        if opened is None:
            raise BankError(
                f"{bank} is no folder of a bank: {bank / RECORD} is missing. Name the bank's zip file, or a folder "
                "that `bank open` made."
            )
        yield opened, bank
        return
    with tempfile.TemporaryDirectory() as aside, open_bank_file(bank) as content:
        record = content.opened.record
        for name in record.files:
            if name.startswith(("results/losses/", "arrays/")):
                content.extract(name, Path(aside, name))
                content.check_file(name, Path(aside, name))
        yield content.opened, Path(aside)


def _of_results(opened: Opened, folder: Path) -> BankSides:
    record = opened.record
    found = {}
    for name, key in record.keys.items():
        prefix = f"results/losses/{_GROUPS[name]}/"
        paths = sorted(path for path in record.files if path.startswith(prefix))
        count = record.originals if name == "originals" else record.copies
        found[name] = load_ensemble([folder / path for path in paths], key, count)
    return BankSides(opened, found, numbered=True)


def _of_arrays(opened: Opened, folder: Path) -> BankSides:
    found, numbered = {}, False
    for name in SIDES:
        if f"arrays/{name}.npz" in opened.record.files:
            arrays, _ = read_npz(folder / f"arrays/{name}.npz")
            found[name] = ensemble_of(arrays, f"{opened.name}: {name}")
            numbered |= "examples" in arrays
    return BankSides(opened, found, numbered)


def read_unlearned(path: str, bank: BankSides) -> tuple[frozenset[str], Ensemble]:
    """Outputs of a method's copies, in the order of a bank's examples; and the names of the arrays in the file.

    Raises
    ------
    DumpError
        If they are of other examples than the bank's, or do not say of which.
    """
    arrays = read_arrays(path)
    side = ensemble_of(arrays, path)
    reference = bank.sides["retrained"]
    roles = {}
    for role, outputs in side.roles.items():
        wanted = reference.roles.get(role)
        if wanted is None:
            continue
        name = "examples" if role == "forget" else f"{role}_examples"
        if name not in arrays and bank.numbered:
            raise DumpError(
                f"{path} does not say which examples its {role} outputs are of: add the array {name}; the bank "
                f"{bank.opened.name} says which they are (`bank open`, results/data/split.npz)"
            )
        roles[role] = replace(outputs, **_in_order(outputs, wanted.examples, path, name))
    groups = side.groups
    if groups is not None:
        groups = groups[_places(side.forget.examples, reference.forget.examples)]
    return frozenset(arrays), replace(side, roles=roles, groups=groups, order=reference.order)


def _places(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of the wanted examples stands among those given, which are the same."""
    order = np.argsort(given, kind="stable")
    return order[np.searchsorted(given[order], wanted)]


def _in_order(outputs, wanted: np.ndarray, path: str, name: str) -> dict[str, np.ndarray]:
    given = outputs.examples
    if len(given) != len(wanted) or not np.array_equal(np.sort(given), np.sort(wanted)):
        other = np.setxor1d(given, wanted)
        first = f", {other[0]} is the first" if len(other) else ""
        raise DumpError(
            f"{path}: {name} are not those of the bank ({len(given)} and {len(wanted)} examples; {len(other)} are on "
            f"one side alone{first}). Record the outputs on the bank's examples"
        )
    places = _places(given, wanted)
    columns = {"examples": wanted, "labels": outputs.labels[places], "confidence": outputs.confidence[:, places]}
    for signal in ("loss", "correct"):
        values = getattr(outputs, signal)
        columns[signal] = None if values is None else values[:, places]
    return columns
