"""The starting kit's attack: chance for equal laws, the Gaussian rate for a shift, balanced and seeded."""

import numpy as np
import pytest
from scipy.stats import norm

from unlearning_metric import simple_mia


def test_of_equal_laws_is_chance_and_of_a_shift_the_gaussian_rate():
    generator = np.random.default_rng(0)
    test = generator.normal(3, 1, (6, 900))
    assert simple_mia(generator.normal(3, 1, (6, 700)), test, 0).mean() == pytest.approx(0.5, abs=0.03)
    assert simple_mia(generator.normal(1, 1, (6, 700)), test, 0).mean() == pytest.approx(norm.cdf(1), abs=0.03)


def test_the_groups_are_balanced():
    # 300 against 15: always guessing the larger group would be right for 95 %.
    generator = np.random.default_rng(1)
    found = simple_mia(generator.normal(size=(40, 15)), generator.normal(size=(40, 300)), 0)
    assert abs(found.mean() - 0.5) < 0.1


def test_equal_seeds_give_equal_numbers_and_inputs_stay():
    generator = np.random.default_rng(2)
    forget, test = generator.normal(size=(2, 20)), generator.normal(1, 1, size=(2, 30))
    before = forget.copy(), test.copy()
    first = simple_mia(forget, test, 5)
    assert np.array_equal(first, simple_mia(forget, test, 5))
    assert not np.array_equal(first, simple_mia(forget, test, 6))
    assert np.array_equal(before[0], forget)
    assert np.array_equal(before[1], test)


@pytest.mark.parametrize(
    ("forget", "test", "message"),
    [
        ((2, 9), (2, 50), "9 examples"),
        ((2, 20), (3, 20), "2 models.*test_losses has 3"),
        ((20,), (2, 20), "forget_losses has"),
    ],
)
def test_what_cannot_be_attacked_is_refused(forget, test, message):
    with pytest.raises(ValueError, match=message):
        simple_mia(np.zeros(forget), np.zeros(test), 0)
