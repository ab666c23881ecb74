"""Score documents -> one table, best final score first, then the methods without a score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from unlearning_metric.store import StoreError, read_document, write_document, write_text

SCHEMA_VERSION = 1


def leaderboard_row(document: dict[str, Any]) -> dict[str, Any]:
    """What one score document contributes to the table."""
    challenge, utility, efficiency = (document[name] for name in ("challenge", "utility", "efficiency"))
    return {
        "method": document["method"],
        "status": "scored",
        "final_score": challenge["final_score"],
        "final_score_clipped": challenge["final_score_clipped"],
        "forgetting_score": challenge["forgetting_score"],
        "relative": challenge["relative"],
        "floor": challenge["floor"],
        "ceiling": challenge["ceiling"],
        "retain_ratio": utility["retain"]["ratio"],
        "test_ratio": utility["test"]["ratio"],
        "forget_ratio": utility["forget"]["ratio"],
        "time_ratio": efficiency["ratio"],
        "within_limit": efficiency["within_limit"],
        "infinite": challenge["n_infinite"],
        "peaky": challenge["n_peaky"],
        "undefined": challenge["n_undefined"],
        "diverged": len(document["diverged"]),
        "copies": document["copies"],
    }


def _without_slow(table: pd.DataFrame) -> pd.DataFrame:
    """A ranked table with methods over the time limit last, without a rank, marked as ``excluded``."""
    within = table["within_limit"].astype(bool)
    slow = table[~within].astype(object).assign(rank=None, status="excluded")
    return pd.concat([table[within].astype(object).assign(rank=range(1, within.sum() + 1)), slow])


def leaderboard(
    documents: Iterable[dict[str, Any]], unscored: Mapping[str, str] | None = None, exclude_slow: bool = False
) -> pd.DataFrame:
    """The table, ranked by final score; methods without one come last, without a rank.

    Parameters
    ----------
    documents : score documents, at least one
    unscored : method -> ``failed`` or ``unfinished``, for methods without a document
    exclude_slow : whether methods over the time limit lose their rank

    Raises
    ------
    StoreError
        If the documents were not scored against the same retrained models: a score at another N, or on other
        data, is not comparable.
    """
    documents = list(documents)
    if not documents:
        raise StoreError("there is no method to rank: every file in methods/ stands under skip.")
    references = {(d["provenance"]["keys"]["retrained"], d["copies"]) for d in documents}
    if len(references) > 1:
        raise StoreError(
            "the score documents do not belong together: "
            + "; ".join(f"{d['method']}: N = {d['copies']}" for d in documents)
            + ". Scores against other retrained models, or another number of them, cannot share a leaderboard."
        )
    table = pd.DataFrame([leaderboard_row(document) for document in documents])
    table = table.sort_values(["final_score", "method"], ascending=[False, True], na_position="last")
    table.insert(0, "rank", range(1, len(table) + 1))
    if exclude_slow:
        table = _without_slow(table)
    if unscored:
        rest = pd.DataFrame([{"method": name, "status": status} for name, status in sorted(unscored.items())])
        table = pd.concat([table.astype(object), rest.astype(object)])
    return table.reset_index(drop=True)


def _cell(value: Any, column: str) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    if isinstance(value, bool) or column == "within_limit":
        return "yes" if value else "NO"
    # Beside a method without a score, pandas hands out whole numbers as they are.
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def markdown(table: pd.DataFrame, documents: list[dict[str, Any]], reasons: Mapping[str, str] | None = None) -> str:
    """The table as Markdown, under a line that says what was run; below it why methods have no score."""
    first = documents[0]
    shown = [
        "rank", "method", "final_score", "forgetting_score", "relative", "floor", "ceiling",
        "retain_ratio", "test_ratio", "forget_ratio", "time_ratio", "within_limit", "diverged", "status",
    ]  # fmt: skip
    cells = [[name.replace("_", " ") for name in shown]]
    cells += [[_cell(row[name], name) for name in shown] for row in table.to_dict("records")]
    widths = [max(len(line[column]) for line in cells) for column in range(len(shown))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    head = (
        f"{first['dataset']}, {first['model']}, N = {first['copies']} models a side, "
        f"{first['forget']['size']} forget examples ({first['forget']['strategy']}), "
        f"{first['originals']} original{'s' if first['originals'] > 1 else ''}. "
        "Perfect unlearning scores about the ceiling, not 1; relative = forgetting score / ceiling."
    )
    below = [f"- {name}: {reason}" for name, reason in sorted((reasons or {}).items())]
    return f"{head}\n\n" + "\n".join(lines) + "\n" + ("\n" + "\n".join(below) + "\n" if below else "")


def write_leaderboard(
    folder: Path | str,
    scores: Mapping[str, Path | str],
    keys: Mapping[str, str],
    provenance: Mapping[str, Any],
    unscored: Mapping[str, tuple[str, str]] | None = None,
    exclude_slow: bool = False,
) -> None:
    """Read score documents and write leaderboard.csv (full precision), leaderboard.md and leaderboard.json.

    Parameters
    ----------
    folder : where the three files go
    scores : method -> its score document
    keys : method -> the key that its document must carry
    provenance : ``key`` and ``origin`` of the leaderboard
    unscored : method -> (``failed`` or ``unfinished``, why)
    exclude_slow : whether methods over the time limit lose their rank

    Raises
    ------
    StoreError
        If a document is damaged or has another key, or they do not belong together.
    """
    documents = [read_document(path, keys[method]) for method, path in scores.items()]
    unscored = unscored or {}
    table = leaderboard(documents, {name: status for name, (status, _) in unscored.items()}, exclude_slow)
    rows = [
        {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
    reasons = {name: reason for name, (_, reason) in unscored.items()}
    document = {
        "schema_version": SCHEMA_VERSION,
        "rows": rows,
        "reasons": reasons,
        "scores": {one["method"]: one["provenance"]["key"] for one in documents},
        "provenance": {**provenance, "run": {}},
    }
    write_text(Path(folder, "leaderboard.csv"), table.to_csv(index=False, lineterminator="\n"))
    write_text(Path(folder, "leaderboard.md"), markdown(table, documents, reasons))
    write_document(Path(folder, "leaderboard.json"), document)
