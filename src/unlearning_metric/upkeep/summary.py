"""What a run shows at its end."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from unlearning_metric.errors import plain
from unlearning_metric.plan.plan import Plan
from unlearning_metric.store.files import StoreError, read_document
from unlearning_metric.upkeep.current import Folder


def checked_alone(plan: Plan, results: Path | str, targets: Collection[str]) -> list[str]:
    """Methods whose checks are all that a run was asked for; none where it was asked for anything else."""
    asked = {os.path.normpath(target) for target in targets}
    checks = {os.path.normpath(f"{results}/check_{method}.json"): method for method in plan.methods}
    return [checks[path] for path in sorted(asked)] if asked <= checks.keys() else []


def summary(plan: Plan, results: Path | str, targets: Collection[str] = (), lines: int = 12) -> str:
    """Scores that the leaderboard does not hold yet, then where it is and its first lines.

    Only files that the plan knows are read, and of scores those that are current. After a check alone, whose lines
    stand above, no scores are shown.

    Parameters
    ----------
    plan : whose scores to show
    results : the results folder
    targets : what the run was asked for; nothing is everything
    lines : how many lines of the leaderboard to show
    """
    if methods := checked_alone(plan, results, targets):
        return "\n".join(f"{results}/check_{method}.json has all that the check found." for method in methods)
    results = Path(results)
    board = results / "leaderboard.md"
    shown = _unlisted(plan, Folder(results))
    if board.is_file():
        text = [plain(line) for line in board.read_text(encoding="utf-8", errors="replace").splitlines()]
        more = [f"... and {len(text) - lines} more lines"] if len(text) > lines else []
        shown += ["", f"Leaderboard: {board}", "", *text[:lines], *more]
    return "\n".join(shown)


def _unlisted(plan: Plan, folder: Folder) -> list[str]:
    try:
        held = read_document(folder.path / "leaderboard.json")["scores"]
    except (OSError, StoreError):
        held = {}
    shown, waiting = [], False
    for method in plan.methods:
        document = plan.score_files(method)[0]
        origin = plan.score_origin(method)
        if folder.key(document) != origin.key or held.get(method) == origin.key:
            continue
        path = folder.path / document
        challenge = read_document(path)["challenge"]
        ranked = method in plan.scored_methods
        waiting |= ranked
        floor, ceiling = ("none" if challenge[end] is None else f"{challenge[end]:.4f}" for end in ("floor", "ceiling"))
        shown.append(
            f"{path}: forgetting score {challenge['forgetting_score']:.4f} (floor {floor}, ceiling {ceiling})"
            + ("" if ranked else f". {method} stands under skip, so the leaderboard leaves it out.")
        )
    return [*shown, "Not in the leaderboard yet: run `snakemake` to build it."] if waiting else shown
