"""The first screen of the page of several boards: who leads on each, the boards beside each other, what differs."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from unlearning_metric.bank.record import bank_sentence
from unlearning_metric.config.neutral import is_neutral
from unlearning_metric.leaderboard.comparison import compare
from unlearning_metric.leaderboard.escape import as_html
from unlearning_metric.leaderboard.formats import originals_text, rank_text
from unlearning_metric.report.answer import CHECK, bar_html, percent, rounded
from unlearning_metric.report.gather import Findings

_ABSENT = "-"


def _table(boards: Mapping[str, Findings]) -> pd.DataFrame:
    return compare({name: {"rows": found.rows} for name, found in boards.items()})


def answer(boards: Mapping[str, Findings]) -> list[str]:
    """Which method is best over all boards, who leads where, and how far the boards agree on the order: sentences."""
    table = _table(boards)
    ranked = table[(table["method"] != CHECK) & (table["experiments"] == len(boards))]
    sentences = []
    if len(ranked):
        best = ranked.iloc[0]
        sentences.append(
            f"{best['method']} has the best mean over the {len(boards)} boards: {percent(best['relative_mean'])} of "
            f"the ceiling, {percent(best['relative_worst'])} on its worst."
        )
    else:
        sentences.append("No method is scored on all boards.")
    for name, found in boards.items():
        rows = [row for row in found.rows if row["rank"] is not None and row["method"] != CHECK]
        if rows and rows[0].get("relative") is not None:
            between = ""
            if rows[0].get("relative_low") is not None:
                between = f" [{percent(rows[0]['relative_low'])}, {percent(rows[0]['relative_high'])}]"
            ranks = "" if rows[0].get("rank_low") is None else f", rank {rank_text(rows[0])}"
            sentences.append(f"{name}: {rows[0]['method']}, {percent(rows[0]['relative'])}{between}{ranks}.")
    if len(ranked) > 2:
        orders = ranked[[f"{name}_relative" for name in boards]].astype(float).corr(method="spearman").to_numpy()
        pairs = [orders[one, two] for two in range(len(orders)) for one in range(two)]
        least = f"{min(pairs):.2f}" if len(pairs) == 1 else f"{min(pairs):.2f} to {max(pairs):.2f}"
        sentences.append(f"Rank correlation of the boards' orders of {len(ranked)} methods: {least}.")
    return sentences


def board_html(boards: Mapping[str, Findings]) -> Markup:
    """A row a method, a column a board: share of the ceiling as a bar with its interval, rank, difference to the first.

    Scores of different boards are not comparable, shares of their own ceilings are.
    """
    table = _table(boards)
    tops = [table[f"{name}_relative{end}"].astype(float).max() for name in boards for end in ("", "_high")]
    top = 1.02 * max([1.0, *(value for value in tops if not pd.isna(value))])
    ranks = {name: {row["method"]: rank_text(row) for row in found.rows} for name, found in boards.items()}
    body = []
    for number, row in enumerate(table.astype(object).where(table.notna(), None).to_dict("records"), 1):
        cells = [
            _cell(row, name, ranks[name].get(row["method"], _ABSENT), top, first=place == 0)
            for place, name in enumerate(boards)
        ]
        mean = _ABSENT if row["relative_mean"] is None else percent(row["relative_mean"])
        worst = (
            ""
            if row["relative_worst"] is None
            else f'<span class="range">worst {percent(row["relative_worst"])}</span>'
        )
        body.append(
            f'<tr><td>{number}</td><th scope="row">{as_html(row["method"])}</th><td>{mean}{worst}</td>'
            f"{''.join(cells)}</tr>"
        )
    width = f'style="width:{72 / len(boards):.0f}%"'
    heads = "".join(f'<th scope="col" class="left" {width}>{as_html(name)}</th>' for name in boards)
    return Markup(
        '<div class="scroll" role="region" aria-label="Boards beside each other" tabindex="0">'
        '<table class="boards"><thead><tr><th scope="col"><span class="hidden">number</span></th>'
        f'<th scope="col" class="left">method</th><th scope="col">mean</th>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(row: Mapping[str, Any], name: str, rank: str, top: float, first: bool) -> str:
    value, low, high = (row[f"{name}_relative{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return f'<td class="left">{_ABSENT}</td>'
    between = "" if low is None else f' <span class="range">{percent(low)} to {percent(high)}</span>'
    change = "" if first else _change(*(row[f"{name}_difference{end}"] for end in ("", "_low", "_high")))
    return (
        f'<td class="left">{bar_html(value, low, high, top, [1 / top])}'
        f'<span class="number">{percent(value)}{between}</span>'
        f'<span class="range">rank {rank}{change}</span></td>'
    )


def _change(value: float | None, low: float | None, high: float | None) -> str:
    """The difference to the first board in percentage points; strong where its interval leaves out 0."""
    if value is None:
        return ""
    # What rounding leaves between equal scores is no difference.
    text = f"{round(100 * value, 3):+.2g}".replace("-", "\u2212")
    if low is not None and high is not None:
        text += f" [{100 * low:+.2g}, {100 * high:+.2g}]".replace("-", "\u2212")
        if low > 0 or high < 0:
            text = f"<strong>{text}</strong>"
    return f"; {text} points"


def differences(boards: Mapping[str, Findings]) -> list[tuple[str, list[str]]]:
    """What differs between the boards: name of a setting, or of what was measured, and its value on each."""
    scored = [{method.name for method in found.methods} for found in boards.values()]
    settings = [_settings(found, set.intersection(*scored)) for found in boards.values()]
    names = dict.fromkeys(name for said in settings for name in said)
    rows = [(name, [said.get(name, _ABSENT) for said in settings]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _settings(found: Findings, methods: Container[str]) -> dict[str, str]:
    """Name -> value of everything that boards are compared by; hyper-parameters of these methods."""
    first = found.first
    challenge, provenance = first["challenge"], first["provenance"]
    said = {
        "models a side (N)": str(first["copies"]),
        "originals": originals_text(first),
        "forget examples": str(first["forget"]["size"]),
        "ceiling": rounded(challenge["ceiling"]),
        "floor": rounded(challenge["floor"]),
        "bank": _ABSENT if found.bank is None else bank_sentence(found.bank),
        "retrained models": str(provenance["keys"].get("retrained", _ABSENT)),
    }
    said |= _flat({name: value for name, value in provenance["configuration"].items() if name != "options"})
    for method in (method for method in found.methods if method.name in methods):
        options = method.document["provenance"]["configuration"].get("options", {})
        said |= _flat({"methods": {method.name: options}} if options else {})
    return said


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Dotted name -> value, of what does not stand at a value that changes nothing."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        dotted = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{dotted}.")
        elif value not in (None, [], {}) and not is_neutral(dotted, value):
            found[dotted] = str(value)
    return found
