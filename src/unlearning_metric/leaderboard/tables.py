"""The leaderboard and each of the other metrics as HTML tables, and the leaderboard for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from unlearning_metric.leaderboard.escape import TEX_LETTERS, as_html, as_tex, on_line
from unlearning_metric.leaderboard.formats import other_cells, rank_text
from unlearning_metric.metrics.table import METRICS

_ABSENT = "-"
#: Heading -> field of a leaderboard's row; those in `_WITH_INTERVAL` carry an interval.
COLUMNS = {
    "rank": "rank",
    "method": "method",
    "final score": "final_score",
    "forgetting score": "forgetting_score",
    "relative to ceiling": "relative",
    "retain ratio": "retain_ratio",
    "test ratio": "test_ratio",
    "forget ratio": "forget_ratio",
    "time / retraining": "time_ratio",
    "status": "status",
}
_LEFT = ' class="left"'
#: Columns that a first click sorts upwards: words, and numbers of which less is better.
_UPWARDS = ("rank", "method", "time / retraining", "status")
_UP = ' data-first="ascending"'
_WITH_INTERVAL = ("final_score", "forgetting_score", "relative")


def status(row: Mapping[str, Any]) -> str:
    """A row's status or, of one that is scored, over or near the time limit; and how many copies diverged."""
    text = row["status"]
    if text == "scored" and row.get("within_limit") is False:
        text = "over the time limit"
    elif text == "scored" and row.get("verdict") == "unclear":
        text = "near the time limit"
    if row.get("diverged"):
        text += f", {int(row['diverged'])} diverged"
    return text


def _cell(value: Any, low: Any = None, high: Any = None) -> str:
    if value is None:
        return f'<td data-key="">{_ABSENT}</td>'
    interval = "" if low is None else f'<span class="range">{low:.4f} to {high:.4f}</span>'
    return f'<td data-key="{value!r}">{value:.4f}{interval}</td>'


def _head(names: Sequence[str]) -> str:
    cells = "".join(
        f'<th scope="col"{_LEFT if name in ("method", "status") else ""}{_UP if name in _UPWARDS else ""}>'
        f'<button type="button">{as_html(name)}</button></th>'
        for name in names
    )
    return f"<thead><tr>{cells}</tr></thead>"


def leaderboard_html(rows: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> str:
    """The ranking, between rows for the ceiling and the floor.

    Parameters
    ----------
    rows : the leaderboard's rows, in order
    document : any of the score documents, for ceiling and floor
    """
    challenge = document["challenge"]
    body = []
    for row in rows:
        cells = []
        for name in COLUMNS.values():
            if name == "rank":
                rank = row["rank"]
                cells.append(f'<td data-key="{"" if rank is None else int(rank)}">{rank_text(row)}</td>')
            elif name == "method":
                cells.append(f'<th scope="row">{as_html(row["method"])}</th>')
            elif name == "status":
                cells.append(f'<td class="left">{as_html(status(row))}</td>')
            elif name in _WITH_INTERVAL:
                cells.append(_cell(row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high")))
            else:
                cells.append(_cell(row.get(name)))
        body.append(f"<tr>{''.join(cells)}</tr>")
    interval = (challenge["interval"]["ceiling"] or {}).get("models", (None, None))
    references = [
        ("ceiling: retrained", challenge["ceiling"], *interval),
        ("floor: original", challenge["floor"], None, None),
    ]
    for position, (name, value, low, high) in enumerate(references):
        relative = None if value is None or not challenge["ceiling"] else value / challenge["ceiling"]
        reference = (
            f'<td data-key="">{_ABSENT}</td><th scope="row">{name}</th><td data-key="">{_ABSENT}</td>'
            f"{_cell(value, low, high)}{_cell(relative)}" + f'<td data-key="">{_ABSENT}</td>' * 4
            + '<td class="left">reference</td>'
        )  # fmt: skip
        line = f'<tr class="reference">{reference}</tr>'
        body.insert(0, line) if position == 0 else body.append(line)
    return f'<table class="sortable">{_head(list(COLUMNS))}<tbody>{"".join(body)}</tbody></table>'


class MetricTable(NamedTuple):
    """One of the other metrics for all methods.

    Attributes
    ----------
    title : what people call it
    says : sentences on its columns, and what must stand beside them
    html : the table; methods in their order between ceiling and floor
    """

    title: str
    says: list[str]
    html: str


def metric_tables(documents: Sequence[Mapping[str, Any]]) -> list[MetricTable]:
    """A table for each of the other metrics: all their columns beside each other fit no screen."""
    sides = [("ceiling: retrained", "reference", other_cells(documents[0], "ceiling"))]
    sides += [(one["method"], "", other_cells(one, "method_like_ceiling")) for one in documents]
    sides.append(("floor: original", "reference", other_cells(documents[0], "floor")))
    found, start = [], 0
    for metric in METRICS.values():
        end = start + len(metric.shown)
        body = []
        for name, kind, cells in sides:
            marked = f' class="{kind}"' if kind else ""
            values = "".join(f'<td data-key="{_number(cell)}">{as_html(cell)}</td>' for cell in cells[start:end])
            body.append(f'<tr{marked}><th scope="row">{as_html(name)}</th>{values}</tr>')
        head = _head(["method", *(column.heading for column in metric.shown)])
        table = f'<table class="sortable">{head}<tbody>{"".join(body)}</tbody></table>'
        columns = "; ".join(f"{column.heading}: {column.says}" for column in metric.shown)
        says = [f"{text[:1].upper()}{text[1:]}." for text in (columns, metric.caution) if text]
        found.append(MetricTable(f"{metric.title[:1].upper()}{metric.title[1:]}", says, table))
        start = end
    return found


def _number(cell: str) -> str:
    return "" if cell.startswith(_ABSENT + " ") or cell == _ABSENT else cell.split()[0]


def page_of_leaderboard(table: str, head: str, warnings: Sequence[str] = ()) -> str:
    """The table alone, with its warnings below it, as a page that opens by itself."""
    items = "".join(f"<li>{as_html(text)}</li>" for text in warnings)
    listed = f"<ul>{items}</ul>" if items else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Leaderboard</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;margin:1rem}table{border-collapse:collapse}"
        "th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #999}"
        ".range{display:block;font-size:.8rem;white-space:nowrap}"
        "th.left,td.left,tbody th{text-align:left}tbody th{max-width:20rem;overflow-wrap:anywhere}"
        "div{overflow-x:auto}"
        "button{all:unset;cursor:pointer;font-weight:600}button:focus-visible{outline:2px solid}"
        "th[aria-sort=ascending] button::after{content:' \\25B2'}"
        "th[aria-sort=descending] button::after{content:' \\25BC'}</style></head>\n"
        f"<body><main><h1>Leaderboard</h1><p>{as_html(head)}</p>"
        f'<div role="region" aria-label="Leaderboard table" tabindex="0">{table}</div>{listed}</main>\n'
        f"<script>{SORTING}</script></body>\n</html>\n"
    )


#: Sorts the tables of class ``sortable`` by the heading that is pressed, and turns the order round when pressed again.
SORTING = """
document.querySelectorAll("table.sortable").forEach(function (table) {
  var heads = table.querySelectorAll("thead th");
  heads.forEach(function (head, column) {
    head.querySelector("button").addEventListener("click", function () {
      var first = head.dataset.first || "descending", now = head.getAttribute("aria-sort");
      var order = now === null ? first : now === "ascending" ? "descending" : "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", order);
      var sign = order === "ascending" ? 1 : -1, body = table.tBodies[0];
      Array.from(body.rows).map(function (row) {
        var cell = row.cells[column], key = cell.dataset.key, words = key === undefined;
        return { row: row, words: words, value: words ? cell.textContent.trim() : parseFloat(key) };
      }).sort(function (a, b) {
        // What has nothing in this column stays last either way.
        var none = function (x) { return x.words ? x.value === "" : isNaN(x.value); };
        if (none(a) || none(b)) return none(a) - none(b);
        return sign * (a.words ? a.value.localeCompare(b.value, "en", { numeric: true }) : a.value - b.value);
      }).forEach(function (item) { body.appendChild(item.row); });
    });
  });
});
"""


def leaderboard_tex(
    rows: Sequence[Mapping[str, Any]], document: Mapping[str, Any], head: str, warnings: Sequence[str] = ()
) -> str:
    """A booktabs table ready for a paper: ranges of ranks, scores with intervals, ceiling and floor, a line to cite.

    Warnings stand in it as comments.

    A method without a score has the reason's name in the score's place; a time over the limit has a dagger.
    """
    challenge = document["challenge"]

    def number(value: float | None, low: float | None = None, high: float | None = None) -> str:
        if value is None:
            return "--"
        return f"{value:.3f}" if low is None else f"{value:.3f}\\,[{low:.3f}, {high:.3f}]"

    def line(row: Mapping[str, Any]) -> str:
        rank = "--" if row["rank"] is None else rank_text(row).replace("-", "--")
        name = as_tex(row["method"], TEX_LETTERS)
        scores = [number(*(row.get(f"{field}{end}") for end in ("", "_low", "_high"))) for field in _WITH_INTERVAL]
        if row.get("forgetting_score") is None:
            scores[0] = row["status"]
        ratio = "--" if row.get("time_ratio") is None else f"{row['time_ratio']:.2f}"
        if row.get("within_limit") is False:
            ratio += r"$^\dagger$"
        return " & ".join([rank, name, *scores, ratio]) + r" \\"

    interval = (challenge["interval"]["ceiling"] or {}).get("models", (None, None))
    top = "1" if challenge["ceiling"] else "--"
    body = [line(row) for row in rows]
    return (
        "\n".join(
            [
                "% Needs \\usepackage{booktabs}. A range of ranks is what comparing all pairs (Holm) leaves open.",
                f"% {as_tex(head)}",
                *(f"% {on_line(text)}" for text in warnings),
                "% Dagger: over the limit on time, in units of one retraining.",
                r"\begin{tabular}{rllllr}",
                r"\toprule",
                r"rank & method & final score & forgetting score & relative to ceiling & time \\",
                r"\midrule",
                rf" & ceiling (retrained) & & {number(challenge['ceiling'], *interval)} & {top} & \\",
                *body,
                rf" & floor (original) & & {number(challenge['floor'])} & & \\",
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )
        + "\n"
    )
