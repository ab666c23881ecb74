"""The page and the figures where a run found little, much, or odd things."""

import base64
import html
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from found import NASTY, findings, many, show
from PIL import Image
from test_page import Page

from unlearning_metric.leaderboard.tables import leaderboard_tex
from unlearning_metric.report.gather import Laws, image_of
from unlearning_metric.report.page import report_html
from unlearning_metric.report.pictures import picture


def whole(text):
    """The page's parts close, its ids are of one kind each and its links lead somewhere."""
    page = Page(text)
    assert text.rstrip().endswith("</html>")
    assert len(page.ids) == len(set(page.ids))
    assert {a["href"][1:] for a in page.of("a")} <= set(page.ids)
    return page


def programs(page):
    """How many scripts run; the others hold data."""
    return sum("type" not in attributes for attributes in page.of("script"))


def test_methods_that_are_not_scored_yet_stand_beside_those_that_are():
    found = findings(("one",), reasons={"later": "its jobs did not finish"})
    text = report_html(found, {})
    whole(text)
    assert "its jobs did not finish" in text
    assert '<th scope="row">later</th>' in text


def test_epsilons_that_are_all_undefined():
    found = findings(("one", "two", "three"))
    for method in found.methods:
        method.samples["epsilon"] = np.nan
        method.examples[:] = [replace(example, epsilon=np.nan) for example in method.examples]
    text = report_html(found, {})
    whole(text)
    show(found)


def test_scores_that_are_all_undefined():
    found = findings(("one", "two", "three"))
    for row, method in zip(found.rows, found.methods, strict=True):
        for name in ("final_score", "relative", "retain_ratio", "test_ratio", "time_ratio"):
            row[name] = row[f"{name}_low"] = row[f"{name}_high"] = None
        method.document["challenge"] = {**method.document["challenge"], "final_score": None}
    found = replace(found, methods=[replace(method, utility=None) for method in found.methods])
    text = report_html(found, {})
    whole(text)
    assert text.count("no final score, forgetting score") == 3
    assert "None" not in text[: text.index("<script")]
    assert "None" not in leaderboard_tex(found.rows, found.first, "head")


def test_one_method_and_one_example():
    found = findings(("one",))
    only = found.methods[0]
    image = only.examples[0].index
    samples = only.samples[only.samples["example"] == image]
    laws = Laws(np.array([0]), found.laws.retrained[:, :1], {"one": found.laws.unlearned["one"][:, :1]})
    found = replace(found, methods=[replace(only, samples=samples, examples=only.examples[:1] * 3)], laws=laws)
    text = report_html(found, {})
    show(found)
    # The hardest, and the one that is attacked.
    assert text.count('class="picture"') == 1 + 1


def test_constant_confidence_has_a_picture():
    found = findings(("one",))
    method = found.methods[0]
    method.examples[:] = [
        replace(example, retrained=np.full(16, 2.0), unlearned=np.full(16, 2.0)) for example in method.examples
    ]
    show(found)


def test_what_a_docstring_says_is_never_markup():
    text = report_html(findings(("one",)), {"one": "</details><script>alert('é 🙂 \u202e')</script>"})
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#39;é 🙂" in text
    assert programs(whole(text)) == 1


def test_data_that_are_no_images_have_no_picture_and_everything_else():
    found = findings(("one", "two"))
    shown = report_html(found, {})
    text = report_html(replace(found, images={}), {})
    assert [image.get("id") for image in whole(text).of("img")] == ["example-picture"]
    assert "data:image" not in text
    assert "data:image" in shown
    assert "<li><br>" not in text
    for part in ("<svg", '<th scope="row">', "<li>"):
        assert text.count(part) == shown.count(part) > 0


def test_classes_go_by_their_names_which_are_never_markup():
    names = ["0", NASTY, 'a"b', "é 🙂 \u202e", "<script>", "", "cat", "7 - seven", "{{ 8 }}", "{% if %}"]
    text = report_html(replace(findings(("one",)), classes=names), {})
    page = whole(text)
    assert NASTY not in text
    assert programs(page) == 1
    labels = {int(label) for label in findings(("one",)).methods[0].samples["label"]}
    assert labels == set(range(10))
    shown = re.findall(r"<br>label ([^\n]*)<br>", text)
    assert len(shown) == 6
    # A class without a name goes by its number.
    assert {html.unescape(label) for label in shown} <= {name or "5" for name in names}


def test_a_label_without_a_name_stands_by_itself():
    found = replace(findings(("one",)), classes=["ant"])
    assert [found.class_text(label) for label in (-1, 0, 1)] == ["-1", "ant", "1"]


@pytest.mark.parametrize(
    ("example", "shape"),
    [
        (np.arange(12, dtype=np.uint8).reshape(2, 2, 3), (2, 2, 3)),
        (np.zeros((2, 2, 9), np.uint8), (2, 2, 9)),
        (np.linspace(-3, 5, 12, dtype=np.float32).reshape(2, 2, 3), (2, 2, 3)),
        (np.zeros((2, 2, 1), np.float32), (2, 2, 1)),
        (np.zeros((2, 2, 9), np.float32), None),
        (np.zeros(7, np.float32), None),
        (np.zeros(7, np.uint8), None),
        (np.zeros((5, 6), np.float32), None),
        (np.zeros((2, 3, 4, 1), np.uint8), None),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else "",
)
def test_what_an_image_is(example, shape):
    image = image_of(example)
    assert (None if image is None else image.shape) == shape
    if image is not None:
        assert image.dtype == np.uint8


def test_floats_are_shown_from_their_smallest_to_their_largest():
    image = image_of(np.array([-2.0, 0.0, 2.0, 2.0], np.float32).reshape(2, 2, 1))
    assert image.ravel().tolist() == [0, 128, 255, 255]


def test_large_images_are_shown_as_stamps():
    image = np.random.default_rng(0).integers(256, size=(224, 448, 3), dtype=np.uint8)
    data = re.search(r"base64,([^\"]+)", picture(image, 0, "0"))[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as stamp:
        assert stamp.size == (96, 48)


@pytest.mark.slow
def test_twenty_five_methods_and_a_thousand_examples_fit_in_five_megabytes():
    text = report_html(many(methods=25, examples=1000), {})
    whole(text)
    assert len(text.encode()) < 5e6


@pytest.mark.slow
def test_two_hundred_methods(tmp_path):
    found = many(methods=200, examples=20)
    text = report_html(found, {})
    whole(text)
    # The board, the whole leaderboard and the other metrics, each with ceiling and floor.
    assert text.count("<tr") > 3 * 202
    assert len(text.encode()) < 6e6
