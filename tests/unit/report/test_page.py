"""The page: whole, self-contained, escaped."""

import base64
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from drawn import ensemble, whole_score
from found import NASTY, findings, method

from unlearning_metric.keys.origin import code_fingerprint
from unlearning_metric.report.answer import answer, board_html, tie_groups
from unlearning_metric.report.page import first_sentence, report_html
from unlearning_metric.report.pictures import picture
from unlearning_metric.report.summaries import (
    hardest,
    median_epsilons,
    rank_agreement,
    shown_places,
    utility_interval,
)
from unlearning_metric.scoring.originals import over_originals

SHIFTS = {"a": 0.2, "b": 0.8, "c": 2.0, "d": 4.0}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text():
    return report_html(findings(reasons={"bad": NASTY}), {"one": f"What {NASTY} does."})


def test_it_needs_nothing_from_elsewhere(text):
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in text
    assert not page.of("link")


def test_every_picture_has_a_text_alternative_and_every_id_is_one_of_its_kind(text):
    page = Page(text)
    assert all(image["alt"] for image in page.of("img"))
    assert all(svg["aria-hidden"] == "true" for svg in page.of("svg"))
    charts = [div for div in page.of("div") if div.get("class") == "chart"]
    assert len(charts) == len([div for div in charts if div["role"] == "img" and div["aria-label"]]) == 6
    assert len(page.ids) == len(set(page.ids))
    assert {a["href"][1:] for a in page.of("a")} <= set(page.ids)


def test_it_says_what_other_code_of_the_same_versions_made():
    found = findings()
    run = found.methods[0].document["provenance"]["run"]
    run["shards"]["retrained"] = [{"device": "cpu", "code": code_fingerprint()}, {"device": "cpu", "code": "other"}]
    assert "other code of the same versions: retrained models (1 of 2)" in report_html(found, {})
    run["shards"]["retrained"].pop()
    assert "other code" not in report_html(found, {})


def test_what_users_wrote_is_escaped(text):
    assert NASTY not in text
    assert text.count("&lt;b&gt;&amp;_evil") >= 2


def held(text, name, kind):
    """An array that the page holds."""
    data = re.search(rf'<script type="text/plain" id="array-{name}">([^<]*)</script>', text)[1]
    return np.frombuffer(base64.b64decode(data), kind)


def test_the_page_holds_what_the_metric_read_to_the_last_bit(text):
    found = findings()
    data = json.loads(re.search(r'id="findings">(.*?)</script>', text, flags=re.S)[1])
    assert data["boards"][0]["shown"] == list(range(30))
    for place, method_ in enumerate(found.methods):
        assert data["methods"][place]["name"] == method_.name
        assert held(text, f"epsilons-{place}", "<f4").tolist() == method_.samples["epsilon"].tolist()
        sides = [np.sort(side, axis=0).T for side in (found.laws.retrained, found.laws.unlearned[method_.name])]
        assert np.array_equal(held(text, "retrained-0", "<f8").reshape(30, 16), sides[0])
        assert np.array_equal(held(text, f"unlearned-{place}", "<f8").reshape(30, 16), sides[1])


def test_too_many_examples_are_sampled_the_hardest_among_them():
    tables = [pd.DataFrame({"epsilon": np.random.default_rng(seed).permutation(200) / 9}) for seed in range(3)]
    assert shown_places(tables, 10, 4 * 10 * 8 * 200).tolist() == list(range(200))
    places = shown_places(tables, 10, 4 * 10 * 8 * 20)
    medians = median_epsilons(tables)
    assert len(set(places)) == 20
    assert set(np.argsort(medians, kind="stable")[-6:]) <= set(places)
    assert np.argmin(medians) in places


def test_the_answer_names_the_best_method_and_passes_over_the_check_of_the_ceiling():
    found = findings(("good", "retrain", "bad"))
    by_name = {row["method"]: row for row in found.rows}
    rows = [{**by_name[name], "rank": rank} for rank, name in enumerate(("retrain", "good", "bad"), 1)]
    rows[1] |= {"rank_low": 2, "rank_high": 3}
    pairs = [{"first": "good", "second": "bad", "told_apart": False}]
    sentences = answer(replace(found, rows=rows, pairs=pairs))
    assert sentences[0].startswith("good has the best final score: ")
    assert "of the ceiling" in sentences[0]
    assert sentences[1].startswith("Above it stands retrain")
    assert sentences[2] == "Its rank may be 2-3: it is not told apart from bad."


@pytest.mark.parametrize(
    ("apart", "letters"),
    [
        ([], {"a": "a", "b": "a", "c": "a", "d": "a"}),
        (["ac", "ad", "bd"], {"a": "a", "b": "a b", "c": "b c", "d": "c"}),
        (["ab", "ac", "ad"], {"a": "a", "b": "b", "c": "b", "d": "b"}),
    ],
)
def test_methods_that_share_a_letter_are_not_told_apart(apart, letters):
    pairs = [
        {"first": first, "second": second, "told_apart": first + second in apart}
        for first, second in itertools.combinations("abcd", 2)
    ]
    assert tie_groups(list("abcd"), pairs) == letters


@pytest.mark.parametrize("compared", [False, True])
def test_every_row_of_the_board_has_a_cell_under_each_heading(compared):
    found = findings()
    names = [row["method"] for row in found.rows if row["rank"] is not None]
    pairs = [{"first": names[0], "second": name, "told_apart": True} for name in names[1:]] if compared else []
    board = board_html(replace(found, pairs=pairs))
    rows = re.findall("<tr.*?</tr>", board)
    cells = [len(re.findall("<t[hd][ >]", row)) for row in rows]
    assert set(cells) == {6 if compared else 5}


def test_it_stands_without_intervals_and_with_one_method():
    page = report_html(findings(("only",), models=8), {})
    assert "No intervals: 8 models a side" in page
    assert 'id="chart-agreement-0"' not in page


def test_several_originals_are_told_wherever_numbers_are_means_or_of_the_first():
    found = findings()
    document = over_originals([whole_score(ensemble(seed)) for seed in (5, 6, 7)]).document
    methods = [replace(m, document={**m.document, "by_original": document["by_original"]}) for m in found.methods]
    several, single = report_html(replace(found, methods=methods), {}), report_html(found, {})
    for text in (
        "Scores are means over the originals",
        'From each original</a> · <a href="#badly"',
        "Means over the originals, with",
        "Means over the originals.</p>",
    ):
        assert text in several
        assert text not in single
    # Attacked, listed, compared, badly forgotten.
    assert several.count("copies from the first original") == 4
    assert "first original" not in single


def test_what_the_recipe_leaves_switched_off_is_not_listed():
    page = report_html(findings(("only",), models=8), {})
    assert "precision fp32, steps 9" in page
    assert "crop" not in re.search("<dt>Recipe</dt><dd>(.*?)</dd>", page)[1]


def test_a_pictures_channels(text):
    for channels in (1, 2, 3):
        assert 'alt="forget example 3, label &lt;4&gt;"' in picture(np.zeros((5, 6, channels), np.uint8), 3, "<4>")


def test_the_first_line_of_a_docstring_says_what_a_method_is(tmp_path):
    (tmp_path / "a.py").write_text('"""Title of ``one``.\n\nMore."""\n')
    (tmp_path / "b.py").write_text("def (:")
    assert first_sentence(tmp_path / "a.py") == "Title of one."
    assert first_sentence(tmp_path / "b.py") == first_sentence(tmp_path / "none.py") == ""


def test_hardest_examples_are_those_of_the_largest_median_epsilon():
    methods = [method("a", 1), method("b", 2), method("c", 3)]
    medians = np.median([one.samples["epsilon"] for one in methods], axis=0)
    found = hardest(methods, 3)
    assert found["epsilon"].tolist() == sorted(medians, reverse=True)[:3]


def test_ranks_agree_with_themselves_and_smaller_is_better_where_it_is():
    methods = [method(name, seed, shift=shift) for seed, (name, shift) in enumerate(SHIFTS.items())]
    matrix = rank_agreement(methods)
    assert matrix.loc["challenge", "challenge"] == 1
    assert matrix.loc["challenge", "U-LiRA"] > 0.7
    assert matrix.loc["told apart", "KLOM"] > 0.7


def test_the_interval_of_a_ratio_of_accuracies_covers_it():
    from drawn import ensemble

    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        sides = []
        for mean in (0.9, 0.8):
            rates = {name: generator.normal(mean, 0.05, 40) for name in ("retain", "test")}
            sides.append(ensemble(0, models=40, accuracy=0.5).__class__("o", np.arange(40), {}, rates))
        value, low, high = utility_interval(*sides)
        assert low < value < high
        covered += low <= (0.8 / 0.9) ** 2 <= high
    assert 0.92 < covered / 300 < 0.98
