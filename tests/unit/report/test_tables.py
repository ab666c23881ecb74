"""The leaderboard as HTML and for a paper."""

import re

from found import NASTY, findings

from unlearning_metric.leaderboard.tables import (
    leaderboard_html,
    leaderboard_tex,
    metric_tables,
    page_of_leaderboard,
    status,
)
from unlearning_metric.metrics.table import METRICS

FOUND = findings(reasons={NASTY: "out of luck"})


def test_every_method_has_a_row_between_ceiling_and_floor():
    names = re.findall(r'<th scope="row">(.*?)</th>', leaderboard_html(FOUND.rows, FOUND.first))
    ranked = [row["method"] for row in FOUND.rows[:3]]
    assert names == ["ceiling: retrained", *ranked, "&lt;b&gt;&amp;_evil", "floor: original"]


def test_cells_carry_their_full_number_to_sort_by_and_their_interval():
    table = leaderboard_html(FOUND.rows, FOUND.first)
    row = FOUND.rows[0]
    shown = f"{row['final_score_low']:.4f} to {row['final_score_high']:.4f}"
    assert (
        f'<td data-key="{row["final_score"]!r}">{row["final_score"]:.4f}<span class="range">{shown}</span></td>'
        in table
    )


def test_headings_are_buttons():
    table = leaderboard_html(FOUND.rows, FOUND.first)
    assert table.count('<button type="button">') == table.count('<th scope="col"') == 10


def test_statuses_say_over_the_limit_and_diverged():
    assert status({"status": "scored", "within_limit": False, "diverged": 0}) == "over the time limit"
    assert status({"status": "scored", "within_limit": None, "diverged": 2.0}) == "scored, 2 diverged"
    assert status({"status": "failed"}) == "failed"


def test_other_metrics_have_a_row_each_and_what_is_absent_sorts_as_nothing():
    tables = metric_tables([one.document for one in FOUND.methods])
    assert [table.title for table in tables] == [f"{one.title[0].upper()}{one.title[1:]}" for one in METRICS.values()]
    for table, metric in zip(tables, METRICS.values(), strict=True):
        assert len(re.findall("<tr", table.html)) == 1 + 1 + 3 + 1
        assert table.html.count('<th scope="col"') == 1 + len(metric.shown)
        assert all(column.heading in table.html for column in metric.shown)
    klom = tables[list(METRICS).index("klom")].html
    assert '<td data-key="">-</td>' in klom  # on retain examples it was not recorded


def test_the_table_for_a_paper_is_escaped_and_whole():
    text = leaderboard_tex(FOUND.rows, FOUND.first, "50 % of a_b")
    assert text.count(r"\\") == 1 + 1 + 4 + 1
    assert r"\textless{}b\textgreater{}\&\_evil & failed &" in text
    assert r"% 50 \% of a\_b" in text
    assert [word for word in (r"\toprule", r"\midrule", r"\bottomrule") if word in text] == [
        r"\toprule", r"\midrule", r"\bottomrule",
    ]  # fmt: skip
    columns = re.search(r"begin\{tabular\}\{(\w+)\}", text)[1]
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.split(r"(?<!\\)&", line)) for line in rows} == {len(columns)}


def test_the_leaderboards_page_names_no_other_file():
    page = page_of_leaderboard(leaderboard_html(FOUND.rows, FOUND.first), "<what>")
    assert "&lt;what&gt;" in page
    assert not re.search(r"(src|href)=", page)
