"""What the metrics take: anything that is an array of real numbers [models, examples], and nothing else."""

import subprocess
import sys

import numpy as np
import pytest

import unlearning_metric
from unlearning_metric import (
    challenge_epsilons,
    gaussian_mu,
    heldout,
    klom,
    ks_p_values,
    seed_scores,
    simple_mia,
    told_apart,
    ulira,
)
from unlearning_metric.metrics.bucket_points import challenge_points


def flat(value):
    if isinstance(value, tuple):
        return np.concatenate(value)
    if not hasattr(value, "__dict__"):
        return value
    return np.concatenate([np.ravel(v) for v in vars(value).values() if np.asarray(v).dtype.kind != "U"])


PAIRS = pytest.mark.parametrize(
    "metric",
    [challenge_epsilons, heldout, klom, ks_p_values, gaussian_mu, ulira, seed_scores],
    ids=lambda f: f.__name__,
)


@PAIRS
def test_lists_integers_read_only_and_strided_arrays_give_the_same(metric):
    generator = np.random.default_rng(0)
    retrained, unlearned = generator.integers(-5, 6, (2, 10, 3)).astype(float)
    unlearned[0] += 1
    expected = flat(metric(retrained, unlearned))
    strided = np.asfortranarray(retrained)
    wide = np.repeat(unlearned, 2, axis=1)[:, ::2]
    frozen = retrained.copy()
    frozen.setflags(write=False)
    for a, b in [
        (retrained.tolist(), unlearned.tolist()),
        (retrained.astype(np.int16), unlearned.astype(np.int64)),
        (strided, wide),
        (frozen, unlearned.astype(np.float32)),
    ]:
        np.testing.assert_array_equal(flat(metric(a, b)), expected)


@PAIRS
def test_inputs_stay_as_they_were(metric):
    generator = np.random.default_rng(1)
    sides = generator.normal(size=(2, 8, 3))
    before = sides.copy()
    metric(*sides)
    assert np.array_equal(sides, before)


@PAIRS
@pytest.mark.parametrize(
    ("retrained", "unlearned", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), r"retrained has shape \(5,\)"),
        (np.zeros((5, 2)), np.zeros((5, 3)), "2 examples.*3"),
        (np.zeros((5, 0)), np.zeros((5, 0)), "no examples"),
        (np.zeros((1, 2)), np.zeros((5, 2)), "1 models: at least"),
        (np.zeros((5, 2)), np.where(np.arange(10).reshape(5, 2) == 5, np.nan, 0), "unlearned: value nan of model 2, e"),
        (np.zeros((5, 2)), np.full((5, 2), np.inf), "10 such values"),
        (np.zeros((5, 2), dtype=complex), np.zeros((5, 2)), "complex"),
        ([[1, 2], [3]], np.zeros((2, 2)), "retrained is no array of real numbers"),
        ([["a", "b"]] * 5, np.zeros((5, 2)), "retrained is no array"),
    ],
)
def test_what_is_no_such_array_is_refused_with_the_side_and_the_reason(metric, retrained, unlearned, message):
    with pytest.raises(ValueError, match=message):
        metric(retrained, unlearned)


def masked(hidden):
    values = np.ma.array(np.random.default_rng(0).normal(size=(6, 3)))
    values[hidden] = np.ma.masked
    return values


@PAIRS
def test_what_a_mask_hides_is_not_computed_with(metric):
    plain = np.random.default_rng(1).normal(size=(6, 3))
    for sides in ((plain, masked((2, 1))), (masked((2, 1)), plain), (plain, list(masked((2, 1))))):
        with pytest.raises(ValueError, match="masked array"):
            metric(*sides)
    # A mask that hides nothing changes nothing.
    whole = masked((slice(0, 0), 0))
    np.testing.assert_array_equal(flat(metric(plain, whole)), flat(metric(plain, whole.data)))


def test_masked_points_and_p_values_are_refused_too():
    hidden = np.ma.masked_greater([0.1, 0.2, 0.9], 0.5)
    for function in (told_apart, lambda epsilons: challenge_points(epsilons, 16)):
        with pytest.raises(ValueError, match="masked array"):
            function(hidden)
    with pytest.raises(ValueError, match="masked array"):
        simple_mia(np.ma.masked_less(np.eye(12), 0.5), np.eye(12), 0)


def test_a_tensor_with_a_gradient_is_refused_as_any_other_input():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"retrained .*detach"):
        klom(torch.zeros((4, 2), requires_grad=True), np.zeros((4, 2)))


def test_every_metric_of_the_package_loads_without_torch_or_snakemake():
    code = (
        "import sys, unlearning_metric as u\n"
        "for name in u.__all__: getattr(u, name)\n"
        "assert not {'torch', 'snakemake'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'klon'"):
        unlearning_metric.klon  # noqa: B018
