"""What a method costs, and the verdict on it."""

import numpy as np
import pytest
from drawn import N, ensemble, score
from scipy.stats import binom

from unlearning_metric.scoring.efficiency import MOVED, median_interval, seconds_ratio, verdict


def costs(seconds, beside, retrained=1.0, read=None, **efficiency):
    told = {"seconds": np.asarray(beside, float), "examples": np.full(N, 1000.0)}
    unlearned = ensemble(1, seconds=seconds, retraining=told, examples=np.full(N, read or 100.0))
    limits = {"efficiency": {"limit": 0.2, **efficiency}}
    return score(unlearned, ensemble(0, seconds=retrained), **limits)[0]["efficiency"]


def test_a_retraining_measured_beside_the_copies_counts_before_one_of_another_job():
    found = costs(1.0, np.full(N, 10.0), retrained=2.0)
    assert (found["ratio"], found["seconds_per_retrained"]) == (0.1, 10.0)
    assert (found["retraining_measured_on"], found["verdict"]) == ("beside the copies", "within")


def test_a_load_that_slows_copies_and_retrainings_alike_turns_no_verdict():
    load = np.linspace(1.0, 3.0, N)
    idle, loaded = costs(0.5, np.full(N, 5.0)), costs(0.5 * load, 5.0 * load)
    assert loaded["ratio"] == pytest.approx(idle["ratio"])
    assert loaded["ratio_interval"] == pytest.approx(idle["ratio_interval"])
    assert loaded["seconds_per_copy"] > 1.8 * idle["seconds_per_copy"]


def test_near_the_limit_the_verdict_is_unclear_and_costs_no_rank():
    for share, word in ((0.17, "within"), (0.19, "unclear"), (0.21, "unclear"), (0.23, "over")):
        found = costs(share * 5, np.full(N, 5.0))
        assert found["verdict"] == word
        assert found["within_limit"] is {"within": True, "over": False}.get(word)


def test_the_limit_may_be_on_passes_which_no_clock_moves():
    slow = costs(9.0, np.full(N, 5.0), read=200.0, measure="passes")
    assert (slow["passes_ratio"], slow["verdict"], slow["limit_on"]) == (0.2, "within", "passes")
    assert costs(0.1, np.full(N, 5.0), read=201.0, measure="passes")["verdict"] == "over"
    assert costs(9.0, np.full(N, 5.0), read=200.0)["verdict"] == "over"


def test_the_interval_encloses_the_median_and_what_a_load_may_move():
    values = np.random.default_rng(0).normal(10.0, 1.0, 64)
    low, high = median_interval(values)
    assert values.min() < low < np.median(values) < high < values.max()
    assert median_interval(np.array([3.0, 1.0, 2.0])) == (1.0, 3.0)
    ratio, interval = seconds_ratio(values, np.full(64, 100.0), np.empty(0))
    assert ratio == pytest.approx(np.median(values) / 100)
    assert interval == pytest.approx((low / 100 / (1 + MOVED), high / 100 * (1 + MOVED)))


@pytest.mark.parametrize("count", [6, 7, 64, 501])
def test_an_interval_of_the_median_leaves_a_fortieth_out_on_either_side(count):
    low, high = median_interval(np.arange(1.0, count + 1))
    assert (low, high) == (binom.ppf(0.025, count, 0.5), count + 1 - low)


def test_what_nobody_measured_has_no_verdict():
    assert seconds_ratio(np.empty(0), np.empty(0), np.ones(4)) is None
    assert seconds_ratio(np.ones(4), np.empty(0), np.empty(0)) is None
    assert verdict(None, 0.2) is None
