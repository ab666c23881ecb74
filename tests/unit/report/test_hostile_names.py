"""Names that are markup, formulas, turned around or endless are text in every file that shows them."""

import csv
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from found import findings

from unlearning_metric.leaderboard.board import leaderboard, write_leaderboard
from unlearning_metric.leaderboard.comparison import compare, comparison_text
from unlearning_metric.leaderboard.escape import as_cell, as_csv, as_tex, as_text
from unlearning_metric.report.page import comparison_html, report_html
from unlearning_metric.store.files import write_document

NAMES = (
    "<script>alert(1)</script>", "a|b", "a&amp;b", "_under_", "50%", "\"double\" 'single'", "\u202eturned", "l" * 200,
    "=1+1", "+1", "-1", "@sum", "\tcell", "*star* `code`", "a\\b ~ ^ # $x$ {y}", "plain_name",
)  # fmt: skip
WARNING = "</script><img src=x onerror=alert(2)>\n\\input{x} | \u202e & 50 %"


class Shown(HTMLParser):
    """Tags of a page, and the text that it shows outside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.within = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.within = tag

    def handle_endtag(self, tag):
        self.within = None

    def handle_data(self, data):
        if self.within not in ("script", "style"):
            self.texts.append(data)


def called(names, reasons):
    """Findings of one and the same method under all these names."""
    only = findings(("one",))
    (method,) = only.methods
    document = {**method.document, "dataset": "<b>a_b & c</b>", "warnings": [WARNING]}
    methods = [replace(method, name=name, document={**document, "method": name}) for name in names]
    table = leaderboard([one.document for one in methods], dict.fromkeys(reasons, "failed")).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    laws = replace(only.laws, unlearned=dict.fromkeys(names, only.laws.unlearned["one"]))
    return replace(only, rows=rows, reasons=reasons, methods=methods, laws=laws, classes=names)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Suffix -> text of the board of methods that are called as `NAMES`, the report's page and that of two boards."""
    folder = tmp_path_factory.mktemp("hostile")
    found = called(NAMES, {"=cmd()": WARNING})
    files = {}
    for number, method in enumerate(found.methods):
        files[method.name] = folder / f"score_{number}.json"
        provenance = {"origin": None, **method.document["provenance"], "key": "k"}
        write_document(files[method.name], {**method.document, "provenance": provenance})
    write_leaderboard(
        folder, files, {}, dict.fromkeys(files, "k"), {"key": "k", "origin": None}, {"=cmd()": ("failed", WARNING)}
    )
    texts = {suffix: (folder / f"leaderboard.{suffix}").read_text("utf-8") for suffix in ("html", "md", "csv", "tex")}
    described = dict.fromkeys(NAMES, WARNING)
    board = {"rows": found.rows}
    side_by_side = compare({"a": board, "b": board})
    return texts | {
        "report": report_html(found, described),
        "comparison": comparison_html({NAMES[0]: found, NAMES[6]: found}, described),
        "compared csv": as_csv(side_by_side),
        "compared md": comparison_text(side_by_side, ("a", "b")),
    }


def test_nothing_turns_the_direction_of_writing(written):
    for text in written.values():
        assert "\u202e" not in text
        assert "u202eturned" in text


@pytest.mark.parametrize("page", ["html", "report", "comparison"])
def test_pages_show_each_name_and_run_no_script_of_it(written, page):
    found = Shown(written[page])
    assert not [tag for tag, attributes in found.tags if tag == "img" and attributes.get("src") == "x"]
    assert not [attributes for _, attributes in found.tags if "onerror" in attributes]
    assert "alert(1)" not in "".join(re.findall("<script>(.*?)</script>", written[page], flags=re.S))
    shown = {text.strip() for text in found.texts}
    assert {name.replace("\u202e", "\\u202e").strip() for name in NAMES} <= shown


@pytest.mark.parametrize(("form", "tables"), [("md", 2), ("compared md", 1)])
def test_markdown_has_a_cell_a_name_and_no_markup_of_it(written, form, tables):
    text = written[form]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == tables  # one number a table
    assert "<" not in text.replace(r"\<", "")
    for shown in (r"a\|b", r"a\&amp;b", r"\_under\_", r"\*star\* \`code\`", "plain_name", "| -1 "):
        assert shown in text
    assert "*ceiling: retrained*" in written["md"]
    assert r"\\input{x}" in written["md"]


@pytest.mark.parametrize("form", ["csv", "compared csv"])
def test_no_cell_of_the_csv_is_a_formula_and_every_name_is_whole(written, form):
    rows = list(csv.DictReader(written[form].splitlines()))
    names = [row["method"] for row in rows]
    assert {name.replace("\u202e", "\\u202e").strip() for name in NAMES} <= {name.lstrip("'").strip() for name in names}
    for row in csv.reader(written[form].splitlines()):
        for cell in row:
            assert re.fullmatch(r"-?[0-9.e+-]*", cell) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    assert {"'=1+1", "'+1", "'-1", "'@sum", "'\tcell", "'=cmd()", "plain_name"} <= set(names)


def test_latex_has_the_same_cells_in_each_row_and_comments_that_end_with_their_line(written):
    table, _, after = written["tex"].partition(r"\end{tabular}")
    columns = re.search(r"begin\{tabular\}\{(\w+)\}", table)[1]
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + 1 + len(NAMES) + 1 + 1
    assert {len(re.split(r"(?<!\\)&", line)) for line in rows} == {len(columns)}
    assert all(line.startswith("%") for line in after.splitlines() if line)
    assert all(len(line) < 300 for line in rows)
    assert not re.search(
        r"(?<![\\%])[_#$%&~^\"](?!\s|dagger)", "".join(rows).replace(r"\string", "\\").replace("$^", "")
    )
    for shown in (
        r"a\textbar{}b",
        r"50\%",
        r"\_under\_",
        r"plain\_name",
        r"\string\"double\string\"".replace('\\"', '"'),
    ):
        assert shown in table


def test_each_form_of_a_text_by_itself():
    assert as_cell("-0.5 and less") == "'-0.5 and less"
    assert as_cell("one") == "one"
    assert as_text("x_y _z_") == r"x_y \_z\_"
    assert as_tex("l" * 60, 48) == "l" * 32 + r"\ldots{}" + "l" * 16
    assert as_tex("a\n\\b") == r"a \textbackslash{}b"


def test_the_pages_data_give_the_names_back(written):
    data = json.loads(re.search(r'id="findings">(.*?)</script>', written["report"], flags=re.S)[1])
    shown = {name.replace("\u202e", "\\u202e") for name in NAMES}
    assert {method["name"] for method in data["methods"]} == shown
    assert html.unescape(written["report"]).count("turned") > 3
