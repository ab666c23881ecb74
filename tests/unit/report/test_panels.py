"""The small pictures of each method: what they show, and how little they weigh."""

import dataclasses
import re

import numpy as np
import pytest
from found import many, method

from unlearning_metric.report.page import report_html
from unlearning_metric.report.panels import epsilon_histogram, score_by_models, two_laws

MINE = method("mine", models=64)


def heights(svg):
    """Height of every bar of the first outline, above the axis."""
    outline = re.search(r'd="M\d+ 156((?:V\d+H\d+)+)V156z"', svg)[1]
    return np.array([156 - int(top) for top in re.findall(r"V(\d+)", outline)])


def test_bars_of_epsilon_are_as_high_as_their_counts():
    samples = MINE.samples.head(10).assign(epsilon=[0.1] * 4 + [1.2] * 2 + [50.0] * 3 + [np.nan])
    found = heights(epsilon_histogram(dataclasses.replace(MINE, samples=samples)))
    assert np.flatnonzero(found).tolist() == [0, 2, 15]
    np.testing.assert_allclose(found[[2, 15]] / found[0], [0.5, 0.75], atol=0.01)


def test_scores_by_models_have_a_point_each_and_an_interval_where_there_is_one():
    svg = score_by_models(MINE)
    entries = MINE.document["by_models"]
    assert svg.count("a2 2 0") == 2 * len(entries)
    assert [f">{entry['models']}</text>" in svg for entry in entries] == [True] * len(entries)
    lines = re.search(r'd="(M[^"]*)" fill="none" stroke="#', svg)[1]
    assert lines.count("M") == 1 + sum(entry["interval"] is not None for entry in entries)


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1.0, 1e4])
def test_laws_of_any_spread_can_be_drawn(spread):
    example = MINE.examples[0]
    values = spread * np.random.default_rng(0).normal(size=(2, 20)) + 3
    svg = two_laws(MINE, dataclasses.replace(example, retrained=values[0], unlearned=values[1]))
    assert "nan" not in svg
    assert heights(svg).max() > 0


def test_the_page_of_very_many_methods_stays_small():
    # Without pictures, whose size is that of the data: what each further method adds.
    few, more = (len(report_html(dataclasses.replace(many(count, 20), images={}), {})) for count in (3, 13))
    assert (more - few) / 10 < 15_000
