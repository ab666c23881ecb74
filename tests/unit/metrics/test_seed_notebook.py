"""The seed notebook's score: its own numbers, and the flaw that makes it a legacy."""

from pathlib import Path

import numpy as np
import pytest

from unlearning_metric import seed_notebook, seed_scores

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.mark.parametrize("case", range(3))
def test_scores_and_accuracies_equal_those_the_notebook_printed(case):
    confidences = np.load(GOLDEN / "challenge_metric.npz")
    printed = np.load(GOLDEN / "seed_notebook.npz")
    retrained, unlearned = (np.log1p(np.exp(-confidences[f"c{case}_{side}"])) for side in ("retrained", "unlearned"))
    found = seed_notebook(retrained, unlearned, threshold=3.89)
    np.testing.assert_allclose(found.scores, printed[f"c{case}_score"], atol=1e-9, equal_nan=True)
    np.testing.assert_allclose(found.accuracies, printed[f"c{case}_accuracy"], atol=1e-9)


def test_examples_told_apart_without_error_leave_the_mean_and_are_counted():
    generator = np.random.default_rng(0)
    retrained, unlearned = generator.normal(size=(2, 40, 6))
    unlearned[:, :2] += 100
    found = seed_notebook(retrained, unlearned)
    assert np.isnan(found.scores[:2]).all()
    assert found.dropped_share == pytest.approx(2 / 6)
    assert found.score == pytest.approx(found.scores[2:].mean())


def test_a_method_that_fails_everywhere_has_no_score():
    retrained = np.zeros((8, 3)) + np.arange(8)[:, None]
    found = seed_notebook(retrained, retrained + 100)
    assert np.isnan(found.score)
    assert found.dropped_share == 1.0


def test_points_stop_falling_at_the_threshold():
    generator = np.random.default_rng(1)
    retrained, unlearned = generator.normal(size=(2, 200, 20))
    unlearned += 2.5
    assert np.nanmin(seed_notebook(retrained, unlearned, threshold=1.0).scores) == 2 / 2**3
    assert np.nanmin(seed_notebook(retrained, unlearned, threshold=9.0).scores) < 2 / 2**4


def test_the_short_form_returns_scores_and_accuracies():
    sides = np.random.default_rng(2).normal(size=(2, 12, 3))
    found = seed_notebook(*sides, threshold=2.0)
    scores, accuracies = seed_scores(*sides, threshold=2.0)
    np.testing.assert_array_equal(scores, found.scores)
    np.testing.assert_array_equal(accuracies, found.accuracies)
