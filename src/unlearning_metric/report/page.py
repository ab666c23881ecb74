"""One self-contained page of everything a run found, and one of several runs beside each other."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from unlearning_metric.bank.record import bank_sentence
from unlearning_metric.errors import plain
from unlearning_metric.leaderboard.formats import data_text, head_line, others_line, warning_texts
from unlearning_metric.leaderboard.reproduction import bibtex, configuration_text, keys
from unlearning_metric.leaderboard.tables import SORTING, leaderboard_html, metric_tables
from unlearning_metric.report import comparison
from unlearning_metric.report.answer import answer, board_html, setting_line
from unlearning_metric.report.gather import Findings, Method
from unlearning_metric.report.payload import arrays, as_scripts, payload
from unlearning_metric.report.pictures import picture_of, pictures
from unlearning_metric.report.run import what_was_run
from unlearning_metric.report.summaries import hardest

#: More warnings than this fold away, so that the board stays on the first screen.
WARNINGS_SHOWN = 2


def report_html(found: Findings, descriptions: Mapping[str, str]) -> str:
    """The page of a run.

    Parameters
    ----------
    found : what a run found; at least one scored method
    descriptions : method -> what it is, in a sentence
    """
    first = found.first
    interval = first["challenge"]["interval"]
    bank = "" if found.bank is None else f" \u00b7 {bank_sentence(found.bank)}"
    return _page(
        {"": found},
        descriptions,
        title=f"Unlearning methods on {data_text(first)}",
        setting=setting_line(first) + bank,
        answer=answer(found),
        board=board_html(found),
        warnings=warning_texts([method.document for method in found.methods]),
        no_intervals="" if interval["reason"] is None else f"No intervals: {interval['reason']}.",
        originals=any(method.document.get("by_original") for method in found.methods),
        differences=[],
    )


def comparison_html(boards: Mapping[str, Findings], descriptions: Mapping[str, str]) -> str:
    """The page of several boards: the same parts, with what differs beside each other.

    Parameters
    ----------
    boards : name -> what a run found; at least two, each with a scored method
    descriptions : method -> what it is, in a sentence
    """
    warned = [
        f"{name}: {text}"
        for name, found in boards.items()
        for text in warning_texts([method.document for method in found.methods])
    ]
    return _page(
        boards,
        descriptions,
        title=f"{len(boards)} boards beside each other",
        setting=" | ".join(boards),
        answer=comparison.answer(boards),
        board=comparison.board_html(boards),
        warnings=warned,
        no_intervals="",
        originals=False,
        differences=comparison.differences(boards),
    )


def _page(boards: Mapping[str, Findings], descriptions: Mapping[str, str], **first_screen: Any) -> str:
    parts = [_part(place, name, found) for place, (name, found) in enumerate(boards.items())]
    methods = {method.name: method for found in reversed(boards.values()) for method in found.methods}
    first = next(iter(boards.values())).first
    return page_of(
        "report.html.j2",
        **first_screen,
        several=len(boards) > 1,
        names=list(boards),
        parts=parts,
        warnings_shown=WARNINGS_SHOWN,
        sorting=Markup(SORTING),
        groups=any("group" in found.methods[0].samples for found in boards.values()),
        others_reading=others_line(first),
        methods=[_method(method, descriptions.get(name, ""), len(boards) > 1) for name, method in methods.items()],
        copies=" or ".join(dict.fromkeys(str(found.first["copies"]) for found in boards.values())),
        run_heads=list(parts[0]["run"]),
        bibtex=bibtex(),
        data=as_scripts(payload(boards, descriptions, pictures), arrays(list(boards.values()))),
    )


def _part(place: int, name: str, found: Findings) -> dict[str, Any]:
    """What the page says of one board by itself."""
    documents = [method.document for method in found.methods]
    return {
        "name": name,
        "place": place,
        "reading": head_line(found.first),
        "leaderboard": Markup(leaderboard_html(found.rows, found.first)),
        "others": [
            {"title": table.title, "says": " ".join(table.says), "html": Markup(table.html)}
            for table in metric_tables(documents)
        ],
        "reasons": found.reasons,
        "compared": bool(found.pairs),
        "many": len(found.methods) > 2,
        "from_first": bool(found.first.get("by_original")),
        "sampled": 0 < len(found.laws.places) < len(found.methods[0].samples),
        "examples": len(found.methods[0].samples),
        "shown": len(found.laws.places),
        "hardest": [
            {
                "picture": picture_of(row.example, row.label, found),
                "index": row.example,
                "label": found.class_text(row.label),
                "epsilon": f"{row.epsilon:.2f}",
            }
            for row in hardest(found.methods).itertuples()
        ],
        "run": what_was_run(found),
        "keys": keys(documents),
        "configuration": configuration_text(documents),
    }


def page_of(template: str, **parts: Any) -> str:
    """A template with its parts, the page's style and scripts among them; parts are escaped unless they are markup."""
    environment = Environment(
        loader=PackageLoader("unlearning_metric.report"), autoescape=True, trim_blocks=True, finalize=_shown
    )
    folder = resources.files("unlearning_metric.report")

    def text(*path: str) -> Markup:
        return Markup(folder.joinpath(*path).read_text(encoding="utf-8"))

    return environment.get_template(template).render(
        style=text("templates", "report.css"),
        vega=[text("vendor", name) for name in ("vega.min.js", "vega-lite.min.js")],
        scripts=[text("templates", name) for name in ("attack.js", "charts.js", "report.js")],
        **parts,
    )


def _shown(value: Any) -> Any:
    """What the template shows of a value: text without what turns the direction of writing."""
    return plain(value) if type(value) is str else value


def _method(method: Method, description: str, several: bool) -> dict[str, Any]:
    if several:
        return {"name": method.name, "summary": "", "description": description, "warnings": []}
    challenge = method.document["challenge"]
    final = "no final score" if challenge["final_score"] is None else f"final score {challenge['final_score']:.4f}"
    return {
        "name": method.name,
        "summary": f"{final}, forgetting score {challenge['forgetting_score']:.4f}.",
        "description": description,
        "warnings": method.document["warnings"],
    }


def first_sentence(path: Path | str) -> str:
    """First line of a method file's docstring; nothing where there is none or the file does not parse."""
    try:
        text = ast.get_docstring(ast.parse(Path(path).read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError):
        return ""
    # On a page nobody marks code by quotes.
    return (text or "").partition("\n")[0].replace("``", "")
