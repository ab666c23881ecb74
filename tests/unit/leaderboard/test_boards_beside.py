"""Several leaderboards side by side."""

import numpy as np
import pandas as pd
import pytest

from unlearning_metric.leaderboard.comparison import compare, comparison_text, difference


def row(method, rank, relative):
    interval = (None, None) if relative is None else (relative - 0.1, relative + 0.1)
    return {"method": method, "rank": rank, "relative": relative, "relative_low": interval[0],
            "relative_high": interval[1]}  # fmt: skip


BOARDS = {
    "a": {"rows": [row("x", 1, 0.9), row("y", 2, 0.2), row("z", None, None)]},
    "b": {"rows": [row("y", 1, 0.6), row("x", 2, 0.3), row("only", 3, 0.99)]},
}


def test_methods_are_compared_by_their_mean_relative_score_over_all_experiments():
    table = compare(BOARDS)

    assert table["method"].tolist() == ["x", "y", "only", "z"]
    assert table["experiments"].tolist() == [2, 2, 1, 0]
    assert table["relative_mean"].tolist()[:3] == pytest.approx([0.6, 0.4, 0.99])
    assert table["relative_worst"].tolist()[:3] == pytest.approx([0.3, 0.2, 0.99])
    assert table["b_rank"].tolist()[:3] == [2, 1, 3]
    assert pd.isna(table["a_relative"][2])


def test_the_comparison_reads_as_a_table():
    lines = comparison_text(compare(BOARDS), BOARDS).splitlines()

    assert "| x      | 0.6000 | 0.3000 | 0.9000 [0.8000, 1.0000] (1) | 0.3000 [0.2000, 0.4000] (2) |" in lines
    assert lines[-1].split("|")[1:-1] == [" z      ", " -      ", " -      ", " -                           ",
                                          " -                           "]  # fmt: skip


def test_each_board_but_the_first_has_the_difference_to_it_with_its_interval():
    table = compare(BOARDS)
    first = table.iloc[0]
    assert first["b_difference"] == pytest.approx(-0.6)
    assert (first["b_difference_low"], first["b_difference_high"]) == pytest.approx(
        (-0.6 - 0.1 * 2**0.5, -0.6 + 0.1 * 2**0.5)
    )
    assert pd.isna(table["b_difference"][2])
    assert "a_difference" not in table


def test_the_interval_of_a_difference_of_skew_ones_covers_as_often_as_it_says():
    generator, truth, size = np.random.default_rng(0), (0.3, 0.5), 40
    shown = []
    for _ in range(400):
        ends = []
        for scale in truth:
            values = generator.exponential(scale, size)
            # The exact interval of an exponential mean.
            low, high = 2 * values.sum() / 106.63, 2 * values.sum() / 57.15  # chi2.ppf(0.975 and 0.025, 80)
            ends.append((float(values.mean()), float(low), float(high)))
        shown.append(difference(*ends))
    covered = np.mean([low <= truth[1] - truth[0] <= high for _, low, high in shown])
    assert 0.92 <= covered <= 0.98


def test_what_is_not_known_on_one_side_is_not_known_of_the_difference():
    assert difference((None, None, None), (0.5, 0.4, 0.6)) == (None, None, None)
    assert difference((0.2, None, None), (0.5, 0.4, 0.6)) == (0.3, None, None)
