"""What a run that did not finish leaves to look at: the leaderboard of what there is, and why the rest is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from unlearning_metric.plan.plan import Plan
from unlearning_metric.progress import failure
from unlearning_metric.store.files import StoreError
from unlearning_metric.store.stored import Stored, StoredFiles
from unlearning_metric.upkeep.current import PARTIAL, Folder
from unlearning_metric.upkeep.summary import summary


def why_unscored(plan: Plan, results: Path | str, method: str) -> tuple[str, str]:
    """``failed`` or ``unfinished``, and why, for a method whose score is not there."""
    logs = Path(results, "logs")
    groups = plan.copy_groups(method)
    own = [] if plan.method(method).is_dump else groups
    records = {
        **{plan.models_origin(group).key: logs.joinpath(group).glob("*.log") for group in own},
        **{plan.dump_origin(group).key: logs.joinpath("dump_losses", group).glob("*.log") for group in groups},
        plan.score_origin(method).key: logs.glob(f"score_{method}.log"),
    }
    for key, paths in records.items():
        for path in sorted(paths):
            message = failure(path, key)
            if message is not None:
                return "failed", f"{message} ({path})"
    return "unfinished", "its jobs, or those that it builds on, did not finish; see the messages above and the logs"


def failed_checks(plan: Plan, results: Path | str, methods: Iterable[str]) -> str:
    """Why these methods failed their check, a line each."""
    lines = []
    for method in methods:
        log = Path(results, "logs", f"check_{method}.log")
        message = failure(log, plan.check_origin(method).key)
        if message is not None:
            lines.append(f"{method} failed its check: {message} ({log})")
    return "\n".join(lines)


def unfinished_leaderboard(plan: Plan, results: Path | str) -> str:
    """Write the leaderboard of the scores there are, with the other methods marked; what to tell the user.

    The key that it gets is what no run needs, so the next one makes it anew.
    """
    from unlearning_metric.leaderboard.board import write_leaderboard

    folder = Path(results)
    found = Folder(results)
    scores, replicates, unscored = {}, {}, {}
    keys = plan.leaderboard_origin().inputs
    for method in keys:
        document, _, paired = plan.score_files(method)
        if found.is_current([document, paired], plan.score_origin(method)):
            scores[method], replicates[method] = folder / document, folder / paired
        else:
            unscored[method] = why_unscored(plan, results, method)
    failed = [f"{name} failed: {reason}" for name, (status, reason) in unscored.items() if status == "failed"]
    if not scores or not unscored:
        return "\n".join(failed)
    exclude_slow = plan.config.efficiency.exclude
    write_leaderboard(folder, scores, replicates, keys, {"key": PARTIAL, "origin": None}, unscored, exclude_slow)
    try:
        _write_report(plan, folder, scores)
    except StoreError as error:
        failed.append(f"report.html does not show what there is: {error}")
    return "\n".join([*failed, summary(plan, results)])


def _write_report(plan: Plan, folder: Path, scored: Collection[str]) -> None:
    from unlearning_metric.jobs.report import write_report

    groups = plan.report_groups(scored)
    write_report(
        results=folder,
        dumps={
            group: StoredFiles([str(folder / path) for path in plan.dump_files(group)], plan.dump_origin(group).key)
            for group in groups
        },
        score_keys={method: plan.score_origin(method).key for method in scored},
        dataset=Stored(folder / "data/dataset.npz", plan.data_origin.key),
        board_key=PARTIAL,
        method_files={method: str(plan.method_file(method)) for method in scored},
        provenance={"key": PARTIAL, "origin": None},
    )
