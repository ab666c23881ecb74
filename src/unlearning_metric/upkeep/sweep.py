"""Several experiments: what differs between them, what they share, and their leaderboards side by side."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_metric.bank.record import IN_RESULTS, bank_sentence, opened_bank, write_opened
from unlearning_metric.config import METHOD_NAME, ConfigError, expanded_path, merge, read_yaml
from unlearning_metric.leaderboard.comparison import compare, comparison_text
from unlearning_metric.leaderboard.escape import as_csv, as_text
from unlearning_metric.plan.plan import Plan
from unlearning_metric.store.files import StoreError, is_there, read_document, write_json, write_text
from unlearning_metric.upkeep.current import Folder, replaced
from unlearning_metric.user_code.contract import ORACLE_METHOD

KEYS = {"results", "base", "experiments"}
#: File of a results folder that lists what other experiments gave it.
GIVEN = "given.json"


@dataclass(frozen=True)
class Sweep:
    """Experiments by name.

    Attributes
    ----------
    results : the folder that holds a folder for each
    experiments : name -> raw configuration, not checked yet
    bank : results folder of the configuration that they are based on, where that was opened from a bank
    """

    results: Path
    experiments: Mapping[str, dict[str, Any]]
    bank: Path | None = None


def read_sweep(path: Path | str) -> Sweep:
    """Read a file of experiments.

    ``base`` names a configuration, relative to the file; each of ``experiments`` says what differs, key by key; null
    takes a key back. Each has its results in ``results``/<name>.

    Raises
    ------
    ConfigError
        If a file cannot be read, a key is unknown or missing, or a name cannot be that of a folder.
    """
    raw = read_yaml(path)
    if unknown := sorted(set(raw) - KEYS):
        raise ConfigError(f"{path}: unknown key {', '.join(unknown)}. Known: {', '.join(sorted(KEYS))}.")
    if missing := sorted(KEYS - set(raw)):
        raise ConfigError(f"{path}: {', '.join(missing)} missing. See config/sweep_example.yaml.")
    for key in ("base", "results"):
        if not isinstance(raw[key], str) or not raw[key]:
            raise ConfigError(
                f"{path}: {key}: {raw[key]!r} is not allowed. Expected a path. See config/sweep_example.yaml."
            )
        try:
            raw[key] = expanded_path(raw[key])
        except ValueError as error:
            raise ConfigError(f"{path}: {key}{error}") from None
    base = read_yaml(Path(path).parent / raw["base"])
    experiments, results = {}, Path(raw["results"])
    if not isinstance(raw["experiments"], dict) or not raw["experiments"]:
        raise ConfigError(f"{path}: experiments must name at least one experiment, such as 'as_it_is: {{}}'.")
    for name, changes in raw["experiments"].items():
        changes = {} if changes is None else changes
        if not isinstance(name, str) or not re.fullmatch(METHOD_NAME, name):
            quotes = "" if isinstance(name, str) else " Put it in quotes."
            raise ConfigError(
                f"{path}: experiments.{name}: a name is text of letters, digits and underscores alone.{quotes}"
            )
        if not isinstance(changes, dict):
            raise ConfigError(f"{path}: experiments.{name}: expected what differs from {raw['base']}, key: value.")
        if "results" in changes:
            raise ConfigError(f"{path}: experiments.{name}.results: its results go to {results / name}. Remove it.")
        experiments[name] = {**_without_null(merge(base, changes)), "results": str(results / name)}
    opened = Path(path).parent / Path(raw["base"]).parent / str(base.get("results", "results"))
    return Sweep(results, experiments, opened if (opened / IN_RESULTS).is_file() else None)


def _without_null(raw: dict[str, Any]) -> dict[str, Any]:
    """Nested mappings less the keys whose value is null."""
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in raw.items()
        if value is not None
    }


def share(plan: Plan, results: Path | str, others: Sequence[Path | str]) -> list[str]:
    """Put into ``results`` what other results folders hold of it: every missing file that is what is needed there.

    That is one with the key needed, made from the contents that ``results`` has or is given too. Hard links where the
    file system allows, so that shared models take no room twice; files of results are replaced and never written into,
    so none changes under another experiment. Snakemake has no record of such a file, and would refuse it once the
    experiment needs another: what was put here earlier and is not needed any more is taken away.

    Returns
    -------
    Paths within ``results`` of what was put there.
    """
    needed = {artifact.path: artifact.origin.key for artifact in plan.artifacts()}
    for path in outdated(plan, results):
        Path(results, path).unlink()
    folder, held = Folder(results), [Folder(other) for other in others]
    given = {path: key for path, key in _given_earlier(results).items() if folder.key(path) == key}
    sources: dict[str, Path] = {}
    identities: dict[str, str | None] = {}

    def identity(path: str) -> str | None:
        return identities.get(path) or folder.stamp(path).identity

    for path, key in needed.items():
        if is_there(folder.path / path):
            continue
        for other in held:
            header = other.stamp(path).header
            if header is not None and header["key"] == key and not replaced(header, identity):
                sources[path], identities[path] = other.path / path, other.stamp(path).identity
                break
    for path in _without_their_models(plan, results, needed, sources):
        del sources[path]
    if given or sources:
        # First, so that no file is there without being listed.
        write_json(Path(results, GIVEN), {**given, **{path: needed[path] for path in sources}})
    for path, source in sources.items():
        target = Path(results, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)
    _take_bank(results, others, sources.values())
    return list(sources)


def _take_bank(results: Path | str, others: Sequence[Path | str], sources: Iterable[Path]) -> None:
    """Have a folder that was given outputs of a bank keep from which bank they are."""
    for other in others:
        bank = opened_bank(other)
        if bank is not None and opened_bank(results) is None and any(path.is_relative_to(other) for path in sources):
            write_opened(Path(results), bank)


def _without_their_models(
    plan: Plan, results: Path | str, needed: Mapping[str, str], sources: Mapping[str, Path]
) -> set[str]:
    """Outputs of retrained models that a method has yet to start from, where the models themselves were deleted.

    With the outputs there, the workflow would not train those models again for the sake of that method.
    """
    if plan.config.keep_checkpoints:
        return set()

    folder = Folder(results)

    def to_be_had(path: str) -> bool:
        return path in sources or folder.key(path) == needed[path]

    return {
        outputs
        for method in plan.scored_methods
        if plan.method(method).needs_oracle
        for group, oracles in zip(plan.copy_groups(method), plan.copy_groups(ORACLE_METHOD), strict=True)
        for dump, outputs, models in zip(
            plan.dump_files(group), plan.dump_files(oracles), plan.model_files(oracles), strict=True
        )
        if outputs in sources and not to_be_had(dump) and not to_be_had(models)
    }


def outdated(plan: Plan, results: Path | str) -> list[str]:
    """Paths within ``results`` of what other experiments gave it, and what it does not need any more as it is."""
    needed = {artifact.path: artifact.origin.key for artifact in plan.artifacts()}
    folder = Folder(results)
    return [
        path
        for path, key in _given_earlier(results).items()
        # What was made here since has another key.
        if needed.get(path, key) != key and folder.key(path) == key
    ]


def _given_earlier(results: Path | str) -> dict[str, str]:
    """Path within a results folder -> key, of the files that other experiments gave it."""
    try:
        given = json.loads(Path(results, GIVEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return given if isinstance(given, dict) else {}


def write_comparison(sweep: Sweep, plans: Mapping[str, Plan]) -> Path | None:
    """Write ``comparison.csv``, ``.md`` and, of two or more, ``.html``; path of the second, None without a leaderboard.

    A leaderboard of another configuration than the experiment now has, or a damaged one, is left out and named.
    """
    boards, left_out = {}, []
    for name, plan in plans.items():
        try:
            boards[name] = read_document(sweep.results / name / "leaderboard.json", plan.leaderboard_origin().key)
        except (OSError, StoreError):
            left_out.append(name)
    if not boards:
        return None
    table = compare(boards)
    text = comparison_text(table, boards)
    banks = {name: board["bank"] for name, board in boards.items() if board.get("bank")}
    text += "".join(f"\n{name}: {as_text(bank_sentence(bank))}\n" for name, bank in banks.items())
    if left_out:
        text += f"\nWithout {', '.join(left_out)}: no finished leaderboard of the configuration as it is now.\n"
    write_text(sweep.results / "comparison.csv", as_csv(table))
    write_text(sweep.results / "comparison.md", text)
    scored = {name: sweep.results / name for name, board in boards.items() if board.get("scores")}
    if len(scored) > 1:
        # Here: what a sweep does before needs no templates.
        from unlearning_metric.jobs.compare_boards import write_comparison_page

        write_comparison_page(scored, sweep.results / "comparison.html")
    return sweep.results / "comparison.md"
