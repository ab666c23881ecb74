"""Held-out epsilon: search against brute force, counts against a plain loop, bounds against their promise."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_heldout import best_ratio
from scipy.stats import beta, norm

from unlearning_metric import heldout
from unlearning_metric.metrics._heldout_kernel import best_interval
from unlearning_metric.metrics.heldout import KINDS, epsilon_of_rates, largest_bound


def search(x, y, rich=1, delta=1e-5):
    size = len(x) + len(y) + 1
    scratch = np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64)
    return best_interval(np.sort(x), np.sort(y), rich, delta, *scratch)[:4]


def ratio_of_rule(x, y, low, high, inside, rich, delta):
    inner, outer = (x, y) if inside == 1 else (y, x)
    fnr, fpr = np.mean(~((low < inner) & (inner <= high))), np.mean((low < outer) & (outer <= high))
    if fnr == fpr == 0:
        return np.inf
    return max((1 - delta - fnr) / fpr if inside == rich else (1 - delta - fpr) / fnr, 0.0)


def random_case(generator):
    kind = generator.integers(6)
    n, m = generator.integers(1, 14 if 0 < kind < 5 else 3, size=2)
    if kind in (0, 5):  # heavy ties, and sides of one or two models
        x, y = generator.integers(0, 4, n).astype(float), generator.integers(0, 4, m).astype(float)
    elif kind == 1:  # a constant side
        x, y = np.full(n, 1.0), generator.integers(-1, 4, m).astype(float)
    elif kind == 2:  # one inside the other
        x, y = generator.normal(0, 0.3, n), generator.normal(0, 1, m)
    elif kind == 3:
        x, y = generator.normal(1.5, 1, n), generator.normal(0, 1, m)
    else:
        x, y = generator.normal(size=n).round(1), generator.normal(size=m).round(1)
    if generator.integers(2):
        x, y = y, x
    return x, y, (0.0, 1e-5, 0.1)[generator.integers(3)]


def test_search_equals_brute_force_in_a_thousand_cases():
    generator = np.random.default_rng(0)
    seen = {"separable": 0, "none": 0, "finite": 0}
    for _ in range(1_000):
        x, y, delta = random_case(generator)
        rich = int(generator.integers(2))
        expected = best_ratio(x, y, rich, delta)
        ratio, low, high, inside = search(x, y, rich, delta)
        seen["separable" if np.isinf(expected) else "none" if expected < 0 else "finite"] += 1
        assert ratio == pytest.approx(expected, rel=1e-9), (x, y, delta)
        if expected >= 0:
            # The rule that is returned does what is said of it.
            assert ratio_of_rule(x, y, low, high, inside, rich, delta) == pytest.approx(expected, rel=1e-9), (x, y)
    assert min(seen.values()) > 25, seen


@given(st.integers(20, 60), st.integers(20, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_search_equals_brute_force_on_larger_samples(n, m, seed):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(0.4, 1, n).round(1), generator.normal(0, 1.3, m).round(1)
    assert search(x, y)[0] == pytest.approx(best_ratio(x, y, 1, 1e-5), rel=1e-9)


def test_neighbouring_floats_are_told_apart():
    x, y = np.full(5, 1.0), np.full(5, np.nextafter(1.0, 2.0))
    ratio, low, high, inside = search(x, y)
    assert ratio == np.inf
    assert ratio_of_rule(x, y, low, high, inside, 1, 0.0) == np.inf
    ratio, low, high, inside = search(y, x)
    assert ratio_of_rule(y, x, low, high, inside, 1, 0.0) == np.inf


def equally_good(x, y, low, high, inside):
    """All rules that guess x for as many of x and of y as the given one does, none twice."""

    def guessed(low, high, inside):
        return tuple(tuple(((low < side) & (side <= high)) == (inside == 1)) for side in (x, y))

    values = np.unique(np.concatenate([x, y]))
    cuts = [-np.inf, *(values[1:] + values[:-1]) / 2, np.inf]
    wanted = [sum(side) for side in guessed(low, high, inside)]
    rules = {}
    for left, right, inside in product(range(len(cuts)), range(len(cuts)), (1, 0)):
        if left < right:
            rule = cuts[left], cuts[right], inside
            rules.setdefault(guessed(*rule), rule)
    return [rule for chosen, rule in rules.items() if [sum(side) for side in chosen] == wanted]


def test_errors_are_counted_on_models_that_did_not_choose_the_rule():
    generator = np.random.default_rng(1)
    retrained, unlearned = generator.normal(0, 1, (23, 4)), generator.normal(1, 0.5, (31, 4))
    found, several = heldout(retrained, unlearned, folds=4), 0
    for example in range(4):
        r, u = retrained[:, example], unlearned[:, example]
        counts, merits = np.zeros((2, 2)), np.zeros(2)
        for fold, rich in product(range(4), range(2)):
            r_out, u_out = np.arange(23) % 4 == fold, np.arange(31) % 4 == fold
            ratio, low, high, inside = search(u[~u_out], r[~r_out], rich)
            merits[rich] += ratio
            tied = equally_good(u[~u_out], r[~r_out], low, high, inside)
            several += len(tied) > 1
            for low, high, inside in tied:
                counts[rich, 0] += np.sum(((low < r[r_out]) & (r[r_out] <= high)) == (inside == 1)) / len(tied)
                counts[rich, 1] += np.sum(((low < u[u_out]) & (u[u_out] <= high)) != (inside == 1)) / len(tied)
        expected = counts[int(np.argmax(merits))]
        np.testing.assert_allclose((found.false_positives[example], found.false_negatives[example]), expected)
    assert several > 4
    np.testing.assert_allclose(
        found.epsilons, epsilon_of_rates(found.false_positives / 23, found.false_negatives / 31), rtol=1e-12
    )


def test_bounds_use_clopper_pearson_with_half_of_five_percent_each():
    generator = np.random.default_rng(2)
    found = heldout(generator.normal(0, 1, (60, 3)), generator.normal(2, 1, (50, 3)))
    for example in range(3):
        upper = [
            beta.ppf(0.975, errors[example] + 1, models - errors[example])
            for errors, models in ((found.false_positives, 60), (found.false_negatives, 50))
        ]
        assert found.bounds[example] == pytest.approx(float(epsilon_of_rates(*upper)), rel=1e-9)


@pytest.mark.parametrize(("models", "largest"), [(100, 3.28), (256, 4.23), (512, 4.93)])
def test_largest_epsilon_that_can_be_certified(models, largest):
    found = heldout(np.zeros((models, 1)), np.ones((models, 1)))
    assert found.bounds[0] == pytest.approx(largest, abs=0.005)
    assert largest_bound(models) == found.bounds[0]
    assert found.epsilons[0] == 50.0


def test_of_equal_laws_next_to_nothing_is_certified():
    generator = np.random.default_rng(3)
    found = heldout(*generator.normal(size=(2, 128, 1500)))
    assert (found.bounds > 0).mean() < 0.05
    assert np.median(found.epsilons) < 0.5


def test_of_a_known_shift_the_bound_stays_below_the_truth_and_the_estimate_grows():
    # No rule that cuts off at least 1 / 512 of the retrained models tells more than its ratio of tails.
    generator = np.random.default_rng(4)
    medians = []
    for shift in (0.5, 1.0):
        found = heldout(generator.normal(0, 1, (512, 400)), generator.normal(shift, 1, (512, 400)))
        truth = np.log(norm.sf(norm.isf(1 / 512) - shift) * 512)
        assert (found.bounds > truth).mean() < 0.05
        assert (found.bounds <= found.epsilons).all()
        medians.append(np.median(found.epsilons))
    assert 0.6 < medians[0] < 1.5
    assert 1.4 < medians[1] < 2.7


@pytest.mark.parametrize(
    ("retrained", "unlearned", "kind"),
    [
        (np.arange(8.0), np.arange(8.0) + 20, "unlearned above"),
        (np.arange(8.0), np.arange(8.0) - 20, "unlearned below"),
        (np.array([-9.0, -8, -7, 7, 8, 9]), np.arange(6.0) / 9, "unlearned inside"),
        (np.arange(6.0) / 9, np.array([-9.0, -8, -7, 7, 8, 9]), "retrained inside"),
        (np.full(6, 0.1), np.full(7, 0.1), "none"),
    ],
)
def test_the_rule_is_named(retrained, unlearned, kind):
    assert kind in KINDS
    assert heldout(retrained[:, None], unlearned[:, None]).kinds[0] == kind


def test_constant_equal_sides_certify_nothing():
    found = heldout(np.full((20, 1), 0.1), np.full((30, 1), 0.1))
    assert found.bounds[0] == 0.0
    assert found.epsilons[0] == 0.0


@pytest.mark.parametrize(("folds", "message"), [(1, "folds is 1"), (7, "6 models: at least 7")])
def test_too_few_folds_or_models_are_refused(folds, message):
    with pytest.raises(ValueError, match=message):
        heldout(np.zeros((6, 1)), np.zeros((8, 1)), folds=folds)


def test_rates_without_a_defined_ratio():
    assert epsilon_of_rates([1.0, 0.0, 0.5], [1.0, 0.0, 0.5]).tolist() == pytest.approx([0.0, 50.0, 0.0])
