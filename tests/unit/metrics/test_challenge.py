"""The challenge's forgetting score: parity with the published code, its special cases and its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import reference_challenge as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning_metric.metrics import _challenge_kernel as kernel
from unlearning_metric.metrics.bucket_points import challenge_points
from unlearning_metric.metrics.challenge import challenge, challenge_epsilons, challenge_score, split_ceiling
from unlearning_metric.metrics.subsets import Sorted, halves_points, subset_points

GOLDEN = Path(__file__).parents[2] / "golden" / "challenge_metric.npz"


def column(*values: float) -> np.ndarray:
    """One example: [models, 1]."""
    return np.array(values, dtype=np.float64)[:, None]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# Parity


@pytest.mark.parametrize("case", [0, 1, 2])
def test_golden_case_has_the_epsilons_and_score_of_the_published_code(case):
    with np.load(GOLDEN) as golden:
        result = challenge(golden[f"c{case}_retrained"], golden[f"c{case}_unlearned"])
        expected = golden[f"c{case}_epsilon"]
        expected_score = golden[f"c{case}_forget_score"]
    np.testing.assert_allclose(result.epsilons, expected, rtol=0, atol=1e-5, equal_nan=True)
    np.testing.assert_array_equal(result.peaky | result.infinite, expected == 50)
    np.testing.assert_array_equal(result.undefined, np.isnan(expected))
    assert result.forgetting_score == pytest.approx(float(expected_score), abs=1e-5)


def test_reference_has_the_epsilons_of_the_published_code():
    with np.load(GOLDEN) as golden:
        eps = reference.epsilons(golden["c0_retrained"], golden["c0_unlearned"])
        np.testing.assert_allclose(eps, golden["c0_epsilon"], rtol=0, atol=1e-5)


# Multiples of 0.05 and two fixed values make ties, within a side and between the sides.
side_values = st.one_of(
    st.integers(-40, 40).map(lambda k: k * 0.05),
    st.floats(-2.0, 2.0, allow_subnormal=False),
    st.sampled_from([0.0, 1.0]),
)


@st.composite
def two_sides(draw):
    models = draw(st.integers(2, 9))
    values = draw(st.sampled_from([side_values, st.sampled_from([0.0, 1.0]), st.floats(-0.01, 0.01)]))
    sides = [draw(st.lists(values, min_size=models, max_size=models)) for _ in range(2)]
    constant = draw(st.sampled_from([None, None, None, 0, 1]))
    if constant is not None:
        sides[constant] = sides[constant][:1] * models
    return column(*sides[0]), column(*sides[1])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(two_sides(), st.sampled_from([1e-5, 1e-2, 0.3]))
def test_fast_equals_reference(sides, delta):
    retrained, unlearned = sides
    np.testing.assert_array_equal(
        challenge_epsilons(retrained, unlearned, delta), reference.epsilons(retrained, unlearned, delta)
    )


@pytest.mark.parametrize("scale", [0.003, 0.3, 3.0])
def test_fast_equals_reference_on_gaussian_models(scale):
    retrained = scale * normal(1, 40, 4)
    unlearned = scale * (normal(2, 40, 4) * [1.0, 1.0, 0.3, 2.0] + [0.0, 1.0, 0.0, 0.0])
    eps = challenge_epsilons(retrained, unlearned)
    np.testing.assert_array_equal(eps, reference.epsilons(retrained, unlearned))
    assert challenge_score(retrained, unlearned) == reference.forgetting_score(eps, 40)


def test_single_thresholds_are_those_of_torch_linspace_to_the_bit():
    generator = np.random.default_rng(3)
    for _ in range(500):
        low = generator.normal() * 10 ** generator.uniform(-3, 2)
        high = low + 10 ** generator.uniform(-1.5, 1)
        count = int(np.ceil((high - low) * 100))
        low32, high32 = np.float32(low), np.float32(high)
        step = np.float32((high32 - low32) / np.float32(count - 1))
        points = [kernel.single_threshold(low32, high32, step, count, i) for i in range(count)]
        expected = torch.linspace(low, high, count, dtype=torch.float32).numpy()
        np.testing.assert_array_equal(np.array(points, dtype=np.float32), expected)


# Special cases


def test_narrow_unlearned_side_is_peaky():
    result = challenge(normal(0, 16, 1), 1e-4 * normal(1, 16, 1))
    assert result.peaky.tolist() == [True]
    assert result.epsilons.tolist() == [50.0]
    assert result.forgetting_score == 0.0


def test_constant_retrained_side_is_peaky_too():
    result = challenge(np.zeros((16, 1)), normal(1, 16, 1))
    assert result.peaky.tolist() == [True]
    assert result.epsilons.tolist() == [50.0]


def test_range_ratio_above_one_percent_is_not_peaky():
    wide = column(0.0, 10.0, 4.0, 6.0)
    assert challenge(wide, column(5.0, 5.099, 5.05, 5.05)).peaky.tolist() == [True]
    assert challenge(wide, column(5.0, 5.101, 5.05, 5.05)).peaky.tolist() == [False]


def test_equal_constant_sides_are_undefined():
    result = challenge(np.full((8, 1), 2.5), np.full((8, 1), 2.5))
    assert np.isnan(result.epsilons[0])
    assert result.undefined.tolist() == [True]
    assert not result.peaky.any()


def test_different_constant_sides_are_infinite():
    result = challenge(np.full((8, 1), 2.5), np.full((8, 1), 3.5))
    assert result.epsilons.tolist() == [50.0]
    assert result.infinite.tolist() == [True]
    assert not result.peaky.any()


def test_separated_sides_are_infinite():
    result = challenge(normal(0, 16, 1), 100 + normal(1, 16, 1))
    assert result.epsilons.tolist() == [50.0]
    assert result.infinite.tolist() == [True]
    assert result.points.tolist() == [0.0]


def test_narrow_side_within_a_gap_of_the_other_is_infinite_by_an_interval():
    # No single threshold separates these.
    result = challenge(column(-5.0, -4.0, 4.0, 5.0), column(-0.3, -0.1, 0.1, 0.3))
    assert result.infinite.tolist() == [True]


def test_example_without_a_surviving_threshold_is_undefined_and_gets_no_points():
    # The first example's values lie closer together than the grid step, and no threshold falls between them.
    lower, upper = column(0.0, 0.0, 0.004), column(0.0, 0.004, 0.004)
    result = challenge(np.hstack([lower, normal(2, 3, 1)]), np.hstack([upper, normal(3, 3, 1)]))
    assert result.undefined.tolist() == [True, False]
    assert np.isnan(result.epsilons[0])
    assert result.points[0] == 0.0
    assert result.forgetting_score == result.points[1] / 2


def test_tied_medians_make_the_unlearned_side_positive():
    # Both medians are 0. "Unlearned iff >= -5" errs on 4 and 1 of 7 models, epsilon ln 3; "retrained iff"
    # gains nothing, and the intervals, about as long as the range of 80, cut off the outermost models only.
    retrained = column(-40.0, -9.0, -9.0, 0.0, 0.0, 0.0, 40.0)
    unlearned = column(-40.0, 0.0, 0.0, 0.0, 9.0, 9.0, 40.0)
    assert np.median(retrained) == np.median(unlearned)
    one_way, other_way = challenge_epsilons(retrained, unlearned), challenge_epsilons(unlearned, retrained)
    assert one_way[0] == pytest.approx(np.log(3), abs=1e-4)
    assert other_way[0] == 0.0


def test_examples_do_not_influence_each_other():
    retrained, unlearned = normal(0, 20, 5), normal(1, 20, 5)
    together = challenge_epsilons(retrained, unlearned)
    alone = [challenge_epsilons(retrained[:, [e]], unlearned[:, [e]])[0] for e in range(5)]
    assert together.tolist() == alone


def test_order_of_models_does_not_matter_and_inputs_stay_untouched():
    retrained, unlearned = normal(0, 20, 3), normal(1, 20, 3)
    before = retrained.copy()
    shuffled = retrained[np.random.default_rng(0).permutation(20)]
    np.testing.assert_array_equal(challenge_epsilons(retrained, unlearned), challenge_epsilons(shuffled, unlearned))
    np.testing.assert_array_equal(retrained, before)


# Points


def test_two_models_a_side_score_zero():
    assert challenge_score(normal(0, 2, 5), normal(1, 2, 5)) == 0.0


def test_points_halve_with_each_half_unit_of_epsilon():
    eps = np.array([0.0, 0.499, 0.5, 0.999, 1.0, 3.2, 6.236])
    assert challenge_points(eps, 512).tolist() == [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 64, 1 / 4096]


def test_fourteenth_bucket_of_512_models_is_there_but_out_of_reach():
    thirteenth, fourteenth, none = challenge_points([6.499, 6.5, 7.0], 512)
    assert (thirteenth, fourteenth, none) == (2.0**-12, 2.0**-13, 0.0)
    fewest_errors = np.log(512 * (1 - 1e-5 - 1 / 512))
    assert fewest_errors < 6.5


def test_points_past_the_last_bucket_are_zero():
    # ceil(ln 31) = 4
    assert challenge_points([3.999, 4.0, 50.0], 32).tolist() == [2.0**-7, 0.0, 0.0]


def test_undefined_epsilon_gets_no_points():
    assert challenge_points([np.nan, 0.1], 64).tolist() == [0.0, 1.0]


# Ceiling


def test_ceiling_is_seeded_and_the_mean_of_half_splits():
    retrained = normal(0, 33, 6)
    ceiling = split_ceiling(retrained, seed=5, splits=3)
    assert ceiling == split_ceiling(retrained, seed=np.random.SeedSequence(5), splits=3)
    assert ceiling != split_ceiling(retrained, seed=6, splits=3)

    generator = np.random.default_rng(5)
    orders = [generator.permutation(33) for _ in range(3)]
    by_hand = [challenge_score(retrained[order[:16]], retrained[order[16:32]]) for order in orders]
    assert ceiling == pytest.approx(np.mean(by_hand))


def test_ceiling_of_ordinary_models_is_well_below_one():
    assert 0.05 < split_ceiling(2 * normal(0, 64, 40), seed=0, splits=2) < 0.4


# Errors

GOOD = np.arange(8.0).reshape(4, 2)


def with_value(value: float) -> np.ndarray:
    bad = GOOD.copy()
    bad[3, 1] = value
    return bad


@pytest.mark.parametrize(
    ("retrained", "unlearned", "message"),
    [
        (GOOD[0], GOOD, r"retrained has shape \(2,\): pass a 2-D array"),
        (GOOD, GOOD[None], r"unlearned has shape \(1, 4, 2\)"),
        (GOOD, GOOD[:, :1], "retrained has 2 examples and unlearned has 1"),
        (GOOD, GOOD[:3], "retrained has 4 models and unlearned has 3"),
        (GOOD[:1], GOOD[:1], "retrained has 1 models: at least 2 are needed"),
        (GOOD[:, :0], GOOD[:, :0], "retrained has no examples"),
        (GOOD, with_value(np.nan), "unlearned: value nan of model 3, example 1 is not finite"),
        (with_value(-np.inf), GOOD, "retrained: value -inf of model 3, example 1 is not finite"),
        (GOOD, with_value(1e6), "model 3, example 1 is beyond"),
    ],
)
def test_bad_arrays_are_refused_by_name(retrained, unlearned, message):
    for function in (challenge, challenge_epsilons, challenge_score):
        with pytest.raises(ValueError, match=message):
            function(retrained, unlearned)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-5, float("nan")])
def test_delta_outside_its_range_is_refused(delta):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        challenge(GOOD, GOOD, delta)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        split_ceiling(GOOD, 0, delta=delta)


def test_points_need_two_models():
    with pytest.raises(ValueError, match="copies is 1"):
        challenge_points([0.1], 1)


def test_ceiling_needs_four_models_and_a_split():
    with pytest.raises(ValueError, match="retrained has 3 models: at least 4"):
        split_ceiling(GOOD[:3], 0)
    with pytest.raises(ValueError, match="splits is 0"):
        split_ceiling(GOOD, 0, splits=0)


# Subsets of the models


@pytest.mark.parametrize("size", [2, 3, 9, 24])
@pytest.mark.parametrize("spread", [0.2, 1.0, 4.0])
def test_points_of_subsets_are_those_of_the_challenge_on_their_models_alone(size, spread):
    retrained, unlearned = 2 * spread * normal(0, 24, 60), 2 * spread * normal(1, 24, 60) + 0.6
    # Ties within the sides and between them.
    retrained[:, :20], unlearned[:, :20] = np.round(retrained[:, :20]), np.round(unlearned[:, :20])
    subsets = np.array([np.random.default_rng(seed).permutation(24)[:size] for seed in range(5)])
    found = subset_points(Sorted.of(retrained, unlearned), subsets, 24 + subsets)
    expected = sum(challenge(retrained[subset], unlearned[subset]).points for subset in subsets)
    np.testing.assert_array_equal(found, expected)


def test_halves_are_disjoint_and_of_the_models_kept():
    retrained, kept = 2 * normal(0, 20, 30), np.arange(15)
    generator, expected = np.random.default_rng(4), np.zeros(30)
    for _ in range(3):
        order = generator.permutation(20)
        order = order[order < 15]
        expected += challenge(retrained[order[:7]], retrained[order[7:14]]).points
    np.testing.assert_array_equal(halves_points(Sorted.of(retrained), kept, 4, splits=3), expected / 3)
