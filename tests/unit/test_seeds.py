"""Random streams: apart where their keys differ, equal where they agree, and never changing."""

import itertools

import numpy as np
import pytest
import torch

from unlearning_metric.seeds import Streams

BASE = (0, "retain", 0, "init")


def draws(seed: int, role: str, index: int, purpose: str) -> list[int]:
    return Streams(seed, role, index).numpy(purpose).integers(2**62, size=8).tolist()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((1, "retain", 0, "init"), id="experiment seed"),
        pytest.param((0, "full", 0, "init"), id="role"),
        pytest.param((0, "retain", 1, "init"), id="index"),
        pytest.param((0, "retain", 0, "order"), id="purpose"),
        pytest.param((0, "init", 0, "retain"), id="role and purpose swapped"),
    ],
)
def test_streams_that_differ_in_one_part_of_the_key_share_no_draw(other):
    assert not set(draws(*BASE)) & set(draws(*other))
    ours, theirs = (Streams(*key[:3]).integer(key[3]) for key in (BASE, other))
    assert ours != theirs


def test_equal_keys_give_equal_draws_from_every_kind_of_generator():
    one, two = Streams(3, "full", 2), Streams(3, "full", 2)
    assert one.integer("init") == two.integer("init")
    assert draws(3, "full", 2, "init") == draws(3, "full", 2, "init")
    assert torch.equal(torch.rand(5, generator=one.torch("order")), torch.rand(5, generator=two.torch("order")))


def test_a_stream_does_not_depend_on_what_was_drawn_from_another():
    streams = Streams(3, "full", 2)
    streams.numpy("init").random(100)
    streams.torch("order")
    assert streams.integer("order") == Streams(3, "full", 2).integer("order")


def test_drawing_streams_leaves_the_global_generators_alone():
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    Streams(3, "full").torch("order")
    Streams(3, "full").numpy("order").random(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


def test_streams_never_change_silently():
    assert Streams(0, "retain", 0).integer("init") == 8986753626102720970
    assert Streams(7, "unlearn/finetune", 3).integer("order") == 355212501799593254


def test_no_two_roles_indices_or_purposes_share_a_seed():
    roles = ["full", "retain", "split", "data", "ceiling", "from_scratch", *(f"unlearn/m{i}" for i in range(6))]
    purposes = ["init", "order", "order/retain", "order/forget", "seed", "generator"]
    keys = list(itertools.product((0, 1), roles, range(32), purposes))
    seeds = {Streams(seed, role, index).integer(purpose) for seed, role, index, purpose in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)
