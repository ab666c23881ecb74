"""The leaderboards of several experiments side by side, as a table and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from unlearning_metric.leaderboard.formats import escaped_cells, table_lines

#: A number and both ends of its interval; None for what is not known.
Ranged = tuple[float | None, float | None, float | None]


def compare(boards: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The leaderboards of several experiments side by side.

    Scores of different experiments are not comparable, but a score relative to its own ceiling is: 1 is as good as
    retraining, whatever the forget set, the data or N.

    Parameters
    ----------
    boards : experiment -> its ``leaderboard.json``

    Returns
    -------
    A row a method, best mean first: ``method``, ``experiments`` (how many scored it), ``relative_mean``,
    ``relative_worst``, and for each experiment ``<name>_rank``, ``<name>_relative``, ``_low``, ``_high`` (95 %); for
    each but the first also ``<name>_difference`` with ``_low`` and ``_high``: its relative score less the first's.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, board in boards.items():
        for row in board["rows"]:
            entry = found.setdefault(row["method"], {"method": row["method"]})
            entry[f"{name}_rank"] = row.get("rank")
            for suffix in ("", "_low", "_high"):
                entry[f"{name}_relative{suffix}"] = row.get(f"relative{suffix}")
    first, *others = boards
    for entry in found.values():
        for name in others:
            ends = ("_difference", "_difference_low", "_difference_high")
            values = difference(*(_relative(entry, board) for board in (first, name)))
            entry.update({f"{name}{end}": value for end, value in zip(ends, values, strict=True)})
        known = [value for name in boards if (value := entry.get(f"{name}_relative")) is not None]
        entry["experiments"] = len(known)
        entry["relative_mean"] = sum(known) / len(known) if known else None
        entry["relative_worst"] = min(known) if known else None
    columns = ["method", "experiments", "relative_mean", "relative_worst"]
    columns += [f"{name}_{what}" for name in boards for what in ("rank", "relative", "relative_low", "relative_high")]
    columns += [f"{name}_difference{end}" for name in others for end in ("", "_low", "_high")]
    table = pd.DataFrame(list(found.values())).reindex(columns=columns)
    # Who was scored everywhere stands above who was not: a mean over other experiments is another mean.
    return table.sort_values(
        ["experiments", "relative_mean", "method"],
        ascending=[False, False, True],
        na_position="last",
        ignore_index=True,
    )


def _relative(entry: Mapping[str, Any], board: str) -> Ranged:
    value, low, high = (entry.get(f"{board}_relative{end}") for end in ("", "_low", "_high"))
    return value, low, high


def difference(first: Ranged, second: Ranged) -> Ranged:
    """Second less first with its 95 % interval; None for what is not known.

    The interval is made of both (Zou and Donner 2008, "Construction of confidence limits about effect measures: a
    general approach") as if the two had nothing in common. Boards that share models vary together, and would have a
    shorter one.
    """
    (one, one_low, one_high), (two, two_low, two_high) = first, second
    if one is None or two is None:
        return None, None, None
    if one_low is None or one_high is None or two_low is None or two_high is None:
        return two - one, None, None
    down, up = math.hypot(two - two_low, one_high - one), math.hypot(two_high - two, one - one_low)
    return two - one, two - one - down, two - one + up


def comparison_text(table: pd.DataFrame, experiments: Iterable[str]) -> str:
    """The comparison as Markdown."""
    experiments = list(experiments)

    def cell(row: Mapping[Any, Any], name: str) -> str:
        value, low, high, rank = (
            row[f"{name}_{what}"] for what in ("relative", "relative_low", "relative_high", "rank")
        )
        if pd.isna(value):
            return "-"
        interval = "" if pd.isna(low) else f" [{low:.4f}, {high:.4f}]"
        return f"{value:.4f}{interval} ({'-' if pd.isna(rank) else int(rank)})"

    def number(value: Any) -> str:
        return "-" if pd.isna(value) else f"{value:.4f}"

    cells = [["method", "mean", "worst", *experiments]]
    for row in table.to_dict("records"):
        mean, worst = number(row["relative_mean"]), number(row["relative_worst"])
        cells.append([row["method"], mean, worst, *(cell(row, name) for name in experiments)])
    return "\n".join(
        [
            "Scores relative to each experiment's own ceiling: 1 is what retrained models get. In brackets 95 %",
            "intervals over the models, in parentheses the rank by final score within the experiment. Mean and worst",
            "are over the experiments that scored the method.",
            "",
            *table_lines(escaped_cells(cells)),
            "",
        ]
    )
