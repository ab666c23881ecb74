"""The control that is the original in a share of its copies."""

import pytest
import torch
from method_files import arguments, load, network, run


def is_original(seed, **options):
    """Whether a copy is the original; it is the retrained model otherwise."""
    model = run("mixture", seed, options=options)
    kinds = [torch.equal(model.body.weight, network(seed=number).body.weight) for number in (0, 2)]
    assert sum(kinds) == 1
    return kinds[0]


def test_a_copy_is_the_original_or_its_retrained_model_with_the_stated_probability():
    rho, copies = 0.2, 150
    share = sum(is_original(seed, rho=rho) for seed in range(copies)) / copies
    # Four standard deviations.
    assert share == pytest.approx(rho, abs=4 * (rho * (1 - rho) / copies) ** 0.5)


def test_the_ends_are_retrain_and_identity():
    assert not any(is_original(seed, rho=0.0) for seed in range(20))
    assert all(is_original(seed, rho=1.0) for seed in range(20))


@pytest.mark.parametrize("rho", [-0.1, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(rho):
    with pytest.raises(ValueError, match=r"rho is .*from 0 to 1"):
        load("mixture").unlearn(**arguments(load("mixture").unlearn), rho=rho)
