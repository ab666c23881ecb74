"""U-LiRA: what a Gaussian attacker must reach where the answer is known."""

import numpy as np
import pytest
from scipy.stats import norm

from unlearning_metric import ulira


def test_of_a_known_shift_matches_the_gaussian_formulas():
    generator = np.random.default_rng(0)
    shift = 1.5
    found = ulira(generator.normal(size=(2000, 60)), generator.normal(shift, 1, size=(2000, 60)))
    assert found.accuracies.mean() == pytest.approx(norm.cdf(shift / 2), abs=0.005)
    assert found.aucs.mean() == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=0.005)
    assert found.tprs.mean() == pytest.approx(norm.sf(norm.isf(0.01) - shift), abs=0.02)


def test_of_equal_laws_is_chance():
    generator = np.random.default_rng(1)
    found = ulira(*generator.normal(size=(2, 2000, 60)))
    assert found.accuracies.mean() == pytest.approx(0.5, abs=0.005)
    assert found.aucs.mean() == pytest.approx(0.5, abs=0.005)
    assert found.tprs.mean() == pytest.approx(0.01, abs=0.004)


def test_a_narrower_law_of_the_same_mean_is_told_apart():
    generator = np.random.default_rng(2)
    narrow = generator.normal(0, 0.2, size=(500, 20))
    assert ulira(generator.normal(size=(500, 20)), narrow).accuracies.mean() > 0.8


def test_the_attack_never_sees_the_models_it_is_judged_on():
    # The fits of the even models tell nothing of the odd ones, whose sides are exchanged.
    generator = np.random.default_rng(3)
    retrained, unlearned = generator.normal(0, 1, (40, 5)), generator.normal(6, 1, (40, 5))
    retrained[1::2], unlearned[1::2] = unlearned[1::2].copy(), retrained[1::2].copy()
    assert ulira(retrained, unlearned).accuracies.max() < 0.05


@pytest.mark.parametrize(("other", "success"), [(0.1, 0.5), (0.3, 1.0)])
def test_constant_sides(other, success):
    found = ulira(np.full((7, 2), 0.1), np.full((10, 2), other))
    assert (found.accuracies == success).all()
    assert (found.aucs == success).all()
    assert (found.tprs == (success == 1.0)).all()


def test_auc_is_the_share_of_pairs_in_the_right_order():
    generator = np.random.default_rng(4)
    retrained, unlearned = generator.normal(size=(9, 3)), generator.normal(0.5, 1, size=(12, 3))
    expected = np.zeros(3)
    for a, b in ((0, 1), (1, 0)):
        r, u = retrained[a::2], unlearned[a::2]

        def ratio(x, r=r, u=u):
            return norm.logpdf(x, u.mean(0), u.std(0, ddof=1)) - norm.logpdf(x, r.mean(0), r.std(0, ddof=1))

        higher = ratio(unlearned[b::2])[:, None] > ratio(retrained[b::2])[None]
        expected += higher.mean(axis=(0, 1)) / 2
    np.testing.assert_allclose(ulira(retrained, unlearned).aucs, expected)
