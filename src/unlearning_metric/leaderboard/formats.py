"""The leaderboard as Markdown: the ranking, the other metrics beside it, and how to read both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unlearning_metric.leaderboard.escape import as_text
from unlearning_metric.metrics.record import Metric, Shown
from unlearning_metric.metrics.table import METRICS

_ABSENT = "-"
#: Headings of the cells of `other_cells`.
OTHER_COLUMNS = tuple(column.heading for metric in METRICS.values() for column in metric.shown)


def _number(value: Any) -> str:
    return _ABSENT if value is None else f"{value:.4f}"


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    return _number(value) if low is None else f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _truth(value: Any) -> str:
    return _ABSENT if value is None else "yes" if value else "NO"


def _count(value: Any) -> str:
    return _ABSENT if value is None else str(int(value))


def escaped_cells(lines: list[list[str]]) -> list[list[str]]:
    """Cells of a Markdown table that show their texts as they are."""
    return [[as_text(cell).replace("|", "\\|") for cell in line] for line in lines]


def _in_italics(cells: list[str]) -> list[str]:
    """Cells of a Markdown table whose first is a row's name of this module's own."""
    return [f"*{cells[0]}*", *escaped_cells([cells[1:]])[0]]


def table_lines(cells: list[list[str]]) -> list[str]:
    """Lines of a Markdown table; the first of the cells are its heads."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return lines


def rank_text(row: Mapping[str, Any]) -> str:
    """The ranks that a method may have, such as 2-4; its place in the order where no methods were compared."""
    if row["rank"] is None:
        return _ABSENT
    low, high = row.get("rank_low"), row.get("rank_high")
    if low is None:
        return _count(row["rank"])
    return _count(low) if low == high else f"{_count(low)}-{_count(high)}"


def _ranking(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    head = [
        "rank", "method", "final score", "forgetting score", "relative", "floor", "ceiling",
        "retain ratio", "test ratio", "forget ratio", "time ratio", "passes ratio", "within limit", "diverged",
        "status",
    ]  # fmt: skip
    cells = [
        [
            rank_text(row),
            row["method"],
            *(_with_interval(row, name) for name in ("final_score", "forgetting_score", "relative")),
            *(_number(row[name]) for name in ("floor", "ceiling")),
            *(_number(row[name]) for name in ("retain_ratio", "test_ratio", "forget_ratio", "time_ratio")),
            _number(row.get("passes_ratio")),
            "unclear" if row.get("verdict") == "unclear" else _truth(row["within_limit"]),
            _count(row["diverged"]),
            row["status"],
        ]
        for row in rows
    ]
    return table_lines(escaped_cells([head, *cells]))


def other_cells(document: Mapping[str, Any], side: str) -> list[str]:
    """Cells of a document's other metrics for its method, floor or ceiling; a document without a metric has dashes."""
    return [_cell_of(metric, column, document, side) for metric in METRICS.values() for column in metric.shown]


def _cell_of(metric: Metric, column: Shown, document: Mapping[str, Any], side: str) -> str:
    compared = metric.compared(document, column.role)
    numbers = None if compared is None else compared[side]
    if numbers is None:
        return _ABSENT
    value = numbers[column.number]
    text = _ABSENT if value is None else f"{value:{column.form}}"
    return text if column.note is None else f"{text} {column.note(numbers)}"


def _others(rows: Sequence[Mapping[str, Any]], documents: Sequence[Mapping[str, Any]]) -> list[str]:
    by_method = {document["method"]: document for document in documents}
    ranked = [by_method[row["method"]] for row in rows if row["method"] in by_method]
    first = documents[0]
    cells = [
        *escaped_cells([["method", *OTHER_COLUMNS]]),
        _in_italics(["ceiling: retrained", *other_cells(first, "ceiling")]),
        *escaped_cells([[document["method"], *other_cells(document, "method_like_ceiling")] for document in ranked]),
        _in_italics(["floor: original", *other_cells(first, "floor")]),
    ]
    return table_lines(cells)


def data_text(document: Mapping[str, Any]) -> str:
    """What the data are called: their source, with the name of the user's file or folder; a npz file by its own."""
    source = document["dataset"]
    name = document["provenance"].get("configuration", {}).get("data", {}).get("path")
    if not name:
        return source
    return name if source == "npz" else f"{source} {name}"


def originals_text(document: Mapping[str, Any]) -> str:
    """How many original models the copies started from, and which from which, in words."""
    # Documents of earlier versions do not say, and were mixtures.
    count, mode = document["originals"], document.get("originals_mode", "mixture")
    if mode == "per_copy":
        return f"{count} originals, one a copy"
    if count < 2:
        return f"{count} original{'' if count == 1 else 's'}"
    return f"{count} originals, {'all copies from each' if mode == 'each' else 'mixed'}"


def _of_originals(document: Mapping[str, Any]) -> str:
    """What the intervals say of the choice of the originals."""
    if document["originals_mode"] == "each":
        return (
            " and this original" if document["originals"] < 2 else "; scores are means over originals, drawn anew too"
        )
    return ", with an original drawn anew for each copy" if document["originals_mode"] == "per_copy" else ""


def head_line(document: Mapping[str, Any]) -> str:
    """What was run and how to read the ranking, from any of its score documents."""
    interval = document["challenge"]["interval"]
    level = f"{interval['level']:.0%}".replace("%", " %")
    read = (
        f"No intervals: {interval['reason']}."
        if interval["reason"]
        else f"With each score: {level} intervals over the models, for these forget examples{_of_originals(document)}. "
        "Rank: the ranks that a method may have, in the order of the final scores. All pairs are compared over the "
        "models that both share; the chance that even one of these ranges is wrong is meant to be at most 5 % (Holm)."
    )
    return (
        f"{data_text(document)}, {document['model']}, N = {document['copies']} models a side, "
        f"{document['forget']['size']} forget examples ({document['forget']['strategy']}), {originals_text(document)}. "
        f"Perfect unlearning scores about the ceiling, not 1; relative = forgetting score / ceiling. {read}"
    )


def others_line(document: Mapping[str, Any]) -> str:
    """How to read the other metrics."""
    models = document["heldout"]["ceiling_models"]
    like = (
        f"Here with {models} models a side, since the ceiling holds half of the retrained models against the other "
        "half; with all of them in the score documents."
        if models < document["copies"]
        else f"With {models} models a side."
    )
    return (
        "Other metrics on the same outputs, not on one axis with the score or with each other; read each against its "
        f"ceiling and floor. {like}{' Means over the originals.' if document.get('by_original') else ''}"
    )


def columns_line() -> str:
    """What each column of the other metrics says."""
    columns = "; ".join(f"{column.heading}: {column.says}" for metric in METRICS.values() for column in metric.shown)
    return f"{columns[:1].upper()}{columns[1:]}."


def cautions() -> list[str]:
    """What must stand beside the numbers of some metrics, a sentence each."""
    return [
        f"{metric.title[:1].upper()}{metric.title[1:]}: {metric.caution}."
        for metric in METRICS.values()
        if metric.caution
    ]


def _notes(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """How methods were run that were not run as their files say: hyper-parameters that were chosen, CUDA on the CPU."""
    found = []
    for document in documents:
        # Documents of earlier versions have neither.
        if (tuned := document.get("tuned")) is not None:
            chosen = ", ".join(f"{name} = {value}" for name, value in tuned["options"].items())
            found.append(
                f"Tuned ({document['method']}): {chosen}, the best of {len(tuned['points'])} by "
                f"{tuned['by'].replace('_', ' ')} where {tuned['forget']['size']} other examples were to be forgotten "
                f"(N = {tuned['copies']})."
            )
        if document.get("cuda") == "pretend":
            found.append(f"CUDA ({document['method']}): its code asks for it by name, which meant the CPU without one.")
    return found


def warning_texts(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """The warnings of score documents, each once, with the methods it is of where it is not of all; and notes."""
    methods: dict[str, list[str]] = {}
    for document in documents:
        for warning in document["warnings"]:
            methods.setdefault(warning, []).append(document["method"])
    return [
        f"Warning{'' if len(named) == len(documents) else ' (' + ', '.join(named) + ')'}: {warning}."
        for warning, named in methods.items()
    ] + _notes(documents)


def markdown(
    rows: Sequence[Mapping[str, Any]],
    documents: Sequence[Mapping[str, Any]],
    reasons: Mapping[str, str] | None = None,
    of_bank: str = "",
) -> str:
    """The ranking under a line that says what was run, warnings, why methods have no score, and the other metrics.

    Parameters
    ----------
    rows : the leaderboard's rows, in order; None for what is not known
    documents : score documents, at least one
    reasons : method -> why it has no score
    of_bank : the bank that the scores were made with, in words
    """
    first = documents[0]
    lines = [
        as_text(f"{head_line(first)} {of_bank}"),
        "",
        *_ranking(rows),
    ]
    if warnings := warning_texts(documents):
        lines += ["", *(f"- {as_text(warning)}" for warning in warnings)]
    if reasons:
        lines += ["", *(f"- {as_text(f'{name}: {reason}')}" for name, reason in sorted(reasons.items()))]
    lines += [
        "",
        as_text(f"{others_line(first)} {columns_line()}"),
        "",
        *_others(rows, documents),
        "",
        *map(as_text, cautions()),
    ]
    return "\n".join(lines) + "\n"
