"""Looks through an existing results folder: what is stale, damaged, unreadable, missing or foreign."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from unlearning_metric.bank.record import opened_bank
from unlearning_metric.errors import plain
from unlearning_metric.keys.origin import code_fingerprint
from unlearning_metric.plan.plan import Plan
from unlearning_metric.report.names import FORMATS, figure_names
from unlearning_metric.store.files import StoreError, verify
from unlearning_metric.upkeep.current import Folder, without_name

#: What belongs to a results folder beside its artifacts.
COMPANIONS = (
    "leaderboard.csv", "leaderboard.md", "leaderboard.html", "leaderboard.tex",
    # What a sweep keeps beside the results of an experiment.
    "config.yaml", "given.json",
    # What a folder that was opened from a bank keeps of it.
    "bank.json",
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One file that is not as it should be: ``kind`` is stale, damaged, unreadable, missing or foreign."""

    kind: str
    path: Path
    text: str

    def __str__(self) -> str:
        return plain(f"{self.kind:10} {self.path}: {self.text}")


def examine(plan: Plan, results: Path | str) -> Iterator[Problem]:
    """Problems of a results folder, in the order the data flows; every file is read whole.

    Parameters
    ----------
    plan : the plan of the configuration that the folder is held against
    results : the folder
    """
    results = Path(results)
    folder = Folder(results)
    known, older = set(), []
    bank = opened_bank(results)
    if bank is not None:
        # Where copies were lowered, more than the plan asks for.
        known |= {results / name.removeprefix("results/") for name in bank.record.files}
    for artifact in chain(plan.artifacts(), plan.on_demand(results)):
        path = results / artifact.path
        known.add(path)
        state = folder.state(artifact.path, artifact.origin)
        if state.kind == "absent":
            deleted = () if plan.config.keep_checkpoints else ("models/retain", "models/unlearn")
            # A bank has outputs in place of retrained models.
            of_bank = () if bank is None else ("models/retain", "models/unlearn/retrain")
            spared = artifact.path.startswith((*deleted, *of_bank))
            dump = results / artifact.path.replace("models/", "losses/", 1).replace(".safetensors", ".parquet")
            if not (spared and dump.exists()):
                yield Problem("missing", path, state.text)
            continue
        if state.older:
            older.append(path)
        elif not state:
            yield Problem(state.kind, path, state.text)
        else:
            try:
                verify(path)
            except StoreError as error:
                yield Problem(error.kind, path, without_name(error, path))
    if older:
        yield Problem("stale", older[0], f"and {len(older) - 1} more: an older version of this project wrote them")
    known |= {results / name for name in COMPANIONS}
    known |= {
        results / "figures" / f"{name}.{suffix}" for name in figure_names(plan.scored_methods) for suffix in FORMATS
    }
    yield from _foreign(results, known)


def by_other_code(plan: Plan, results: Path | str) -> Counter[str]:
    """Step -> how many of its files are current, and were made by other code of this package than runs now.

    That code gave the same version to the step, which is to say the same numbers: nothing is made anew for it.
    """
    found: Counter[str] = Counter()
    folder = Folder(results)
    for artifact in chain(plan.artifacts(), plan.on_demand(results)):
        code = (folder.stamp(artifact.path).header or {}).get("code")
        if folder.key(artifact.path) == artifact.origin.key and code not in (None, code_fingerprint()):
            found[artifact.origin.step] += 1
    return found


def _foreign(results: Path, known: set[Path]) -> Iterator[Problem]:
    for path in sorted(results.rglob("*")):
        if os.path.isdir(path) or path in known or path.relative_to(results).parts[0] == "logs":
            continue
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            yield Problem("foreign", path, "left behind by a killed job; delete it, unless a run is going on")
        else:
            yield Problem("foreign", path, "not a file of this configuration (other copies, or a method under skip)")
