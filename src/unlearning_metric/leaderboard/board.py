"""Score documents -> one table, best final score first, then the methods without a score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from unlearning_metric.bank.record import opened_bank
from unlearning_metric.leaderboard.escape import as_csv
from unlearning_metric.leaderboard.formats import head_line, markdown, originals_text, warning_texts
from unlearning_metric.leaderboard.pairs import Pair, compare_pairs, rank_ranges
from unlearning_metric.leaderboard.reproduction import as_comments
from unlearning_metric.leaderboard.tables import leaderboard_html, leaderboard_tex, page_of_leaderboard
from unlearning_metric.metrics.replicates import Replicates
from unlearning_metric.scoring.intervals import read_replicates
from unlearning_metric.store.files import StoreError, read_document, write_document, write_text

#: 3: all pairs are compared, and ranks are ranges.
SCHEMA_VERSION = 3
_OF_PAIRS = ("rank_low", "rank_high", "difference_to_next", "difference_low", "difference_high", "tie")


def leaderboard_row(document: Mapping[str, Any]) -> dict[str, Any]:
    """What one score document contributes to the table. Intervals are those over models."""
    challenge, utility, efficiency = (document[name] for name in ("challenge", "utility", "efficiency"))

    def with_interval(name: str) -> dict[str, float | None]:
        interval = challenge["interval"][name]
        low, high = (None, None) if interval is None else interval["models"]
        return {name: challenge[name], f"{name}_low": low, f"{name}_high": high}

    return {
        "method": document["method"],
        "status": "scored",
        **with_interval("final_score"),
        "final_score_clipped": challenge["final_score_clipped"],
        **with_interval("forgetting_score"),
        **with_interval("relative"),
        "floor": challenge["floor"],
        **with_interval("ceiling"),
        "retain_ratio": utility["retain"]["ratio"],
        "test_ratio": utility["test"]["ratio"],
        "forget_ratio": utility["forget"]["ratio"],
        "time_ratio": efficiency["ratio"],
        # Documents of earlier versions do not say.
        "passes_ratio": efficiency.get("passes_ratio"),
        "within_limit": efficiency["within_limit"],
        "verdict": efficiency.get("verdict"),
        "infinite": challenge["n_infinite"],
        "peaky": challenge["n_peaky"],
        "undefined": challenge["n_undefined"],
        "diverged": len(document["diverged"]),
        "copies": document["copies"],
    }


def _pair_columns(methods: Sequence[str], pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Range of ranks of each ranked method, and how it differs from the next one: difference, 95 % interval, tie.

    ``tie`` says that the next one is not told apart, corrected for all pairs; None where the two were not compared.
    Without any pair compared there are no ranges.
    """
    ranges = rank_ranges(methods, pairs) if pairs else {}
    found = {(pair.first, pair.second): pair for pair in pairs}
    columns = []
    for place, name in enumerate(methods):
        entry = dict.fromkeys(_OF_PAIRS)
        if name in ranges:
            entry["rank_low"], entry["rank_high"] = ranges[name]
        pair = found.get((name, methods[place + 1])) if place + 1 < len(methods) else None
        if pair is not None:
            entry |= {
                "difference_to_next": pair.difference,
                "difference_low": pair.low,
                "difference_high": pair.high,
                "tie": not pair.told_apart,
            }
        columns.append(entry)
    return columns


def _without_slow(table: pd.DataFrame) -> pd.DataFrame:
    """A ranked table with methods over the time limit last, without a rank, marked as ``excluded``."""
    # Methods whose time nobody measured, or whose verdict is unclear, are not known to be slow.
    slow = table["within_limit"].eq(False)
    kept = table[~slow].astype(object).assign(rank=range(1, (~slow).sum() + 1))
    return pd.concat([kept, table[slow].astype(object).assign(rank=None, status="excluded")])


class Board(NamedTuple):
    """A ranking.

    Attributes
    ----------
    table : a row a method, best final score first; methods without one come last, without a rank
    pairs : how each two ranked methods compare
    """

    table: pd.DataFrame
    pairs: list[Pair]


def leaderboard(
    documents: Iterable[Mapping[str, Any]],
    unscored: Mapping[str, str] | None = None,
    replicates: Mapping[str, Replicates | None] | None = None,
    exclude_slow: bool = False,
) -> pd.DataFrame:
    """The table of `compared`, which says what the parameters are."""
    return compared(documents, unscored, replicates, exclude_slow).table


def compared(
    documents: Iterable[Mapping[str, Any]],
    unscored: Mapping[str, str] | None = None,
    replicates: Mapping[str, Replicates | None] | None = None,
    exclude_slow: bool = False,
) -> Board:
    """Methods ranked by final score, and every pair of them.

    Parameters
    ----------
    documents : score documents, at least one
    unscored : method -> ``failed`` or ``unfinished``, for methods without a document
    replicates : method -> the final score's replicates, by which methods are compared
    exclude_slow : whether methods over the time limit lose their rank

    Raises
    ------
    StoreError
        If the documents were not scored against the same retrained models, or from as many originals: a score at
        another N, on other data or of another mixture is not comparable.
    """
    documents = list(documents)
    if not documents:
        raise StoreError("there is no method to rank: every file in methods/ stands under skip.")
    designs = {originals_text(document) for document in documents}
    if len(designs) > 1:
        raise StoreError(
            "the score documents do not belong together: "
            + "; ".join(f"{d['method']}: {originals_text(d)}" for d in documents)
            + ". Copies from other numbers of originals, or from one a copy, are scores of other things and cannot "
            "share a leaderboard: set one form of originals for all of them, and score again."
        )
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
    table = table.reset_index(drop=True)
    ranked = table.loc[table["rank"].notna(), "method"].tolist()
    pairs = compare_pairs(ranked, replicates or {})
    table = pd.concat(
        [table, pd.DataFrame(_pair_columns(ranked, pairs), columns=list(_OF_PAIRS), dtype=object)], axis=1
    )
    if unscored:
        rest = pd.DataFrame([{"method": name, "status": status} for name, status in sorted(unscored.items())])
        table = pd.concat([table.astype(object), rest.astype(object)])
    return Board(table.reset_index(drop=True), pairs)


def write_leaderboard(
    folder: Path | str,
    scores: Mapping[str, Path | str],
    replicates: Mapping[str, Path | str],
    keys: Mapping[str, str],
    provenance: Mapping[str, Any],
    unscored: Mapping[str, tuple[str, str]] | None = None,
    exclude_slow: bool = False,
) -> None:
    """Read score documents and write leaderboard.csv (full precision), .md, .html, .tex (for a paper) and .json.

    Parameters
    ----------
    folder : where the files go
    scores, replicates : method -> its score document, its replicates
    keys : method -> the key that both must carry
    provenance : ``key`` and ``origin`` of the leaderboard
    unscored : method -> (``failed`` or ``unfinished``, why)
    exclude_slow : whether methods over the time limit lose their rank

    Raises
    ------
    StoreError
        If a document is damaged or has another key, or they do not belong together.
    """
    documents = [read_document(path, keys[method]) for method, path in scores.items()]
    paired = {method: read_replicates(path, keys[method]) for method, path in replicates.items()}
    unscored = unscored or {}
    table, pairs = compared(documents, {name: status for name, (status, _) in unscored.items()}, paired, exclude_slow)
    rows = [
        {str(name): None if isinstance(v, float) and math.isnan(v) else v for name, v in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
    reasons = {name: reason for name, (_, reason) in unscored.items()}
    bank = opened_bank(folder)
    of_bank = "" if bank is None else bank.line
    document = {
        "schema_version": SCHEMA_VERSION,
        "rows": rows,
        "pairs": [pair.record() for pair in pairs],
        "reasons": reasons,
        "scores": {one["method"]: one["provenance"]["key"] for one in documents},
        "bank": None if bank is None else bank.label,
        "provenance": {**provenance, "run": {}},
    }
    write_text(Path(folder, "leaderboard.csv"), as_csv(table))
    write_text(Path(folder, "leaderboard.md"), markdown(rows, documents, reasons, of_bank))
    head, warnings = f"{head_line(documents[0])} {of_bank}".rstrip(), warning_texts(documents)
    page = page_of_leaderboard(leaderboard_html(rows, documents[0]), head, warnings)
    write_text(Path(folder, "leaderboard.html"), page)
    table_tex = leaderboard_tex(rows, documents[0], head, warnings)
    write_text(Path(folder, "leaderboard.tex"), f"{table_tex}{as_comments(documents)}")
    write_document(Path(folder, "leaderboard.json"), document)
