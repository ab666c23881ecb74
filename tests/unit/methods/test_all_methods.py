"""What holds for every method of the catalogue."""

import inspect
from collections import Counter

import pytest
import torch
from method_files import FOLDER, Meter, arguments, load, network, run
from torch import nn

from unlearning_metric.pages import read_entries

ENTRIES = {entry.name: entry for entry in read_entries(FOLDER)}
NAMES = sorted(ENTRIES)
#: Sizes of the retain, forget and validation set.
SMALL = (70, 17, 9)


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_the_catalogue_is_complete():
    assert set(NAMES) >= {
        "identity", "retrain", "finetune", "reset_head", "kit_finetune", "gradient_ascent", "neggrad_plus",
        "random_labels", "salun", "scrub", "bad_teacher", "cf_k", "eu_k", "l1_sparse", "ssd", "fisher",
        "noisy_finetune", "fanchuan", "kookmin", "seif", "sebastian", "toshi_k", "amnesiacs", "sun", "forget_knu",
        "oracle_matching", "mixture",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_model_and_another_seed_another_unless_it_says_no(name):
    one, again, other = (run(name, seed, sizes=SMALL, batch_size=16) for seed in (3, 3, 4))
    assert same(one, again)
    assert same(one, other) == (ENTRIES[name].degree == "no")


@pytest.mark.parametrize("name", NAMES)
def test_a_method_moves_the_model_unless_it_is_identity(name):
    assert same(run(name, seed=1, sizes=SMALL, batch_size=16), network()) == (name == "identity")


# Retrain's nets are made within; Fisher's are called example by example under vmap, and its examples counted elsewhere.
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"retrain", "fisher"}))
def test_counted_passes_equal_the_stated_cost(name):
    given = arguments(load(name).unlearn)
    meter = Meter()
    meter.watch(*(value for value in given.values() if isinstance(value, nn.Module)))
    loaders = {"R": "retain_loader", "F": "forget_loader", "V": "val_loader"}
    sizes = {part: len(given[loader].dataset) for part, loader in loaders.items() if loader in given}
    run(name, given=given)
    stated = {}
    for (unit, part, kind), number in ENTRIES[name].passes.items():
        stated[part, kind] = stated.get((part, kind), 0) + number * sizes[unit]
    assert {key: pytest.approx(value) for key, value in stated.items()} == dict(+meter.count)


@pytest.mark.parametrize(
    ("name", "options", "more"),
    [
        ("scrub", {"rewind": True}, {("F", "fw"): 3 * 128, ("V", "fw"): 64}),
        ("gradient_ascent", {"stop_at_validation_loss": True}, {("V", "fw"): 5 * 64}),
        ("eu_k", {"rewind": True}, {}),
    ],
)
def test_options_cost_what_the_docstring_says_on_top(name, options, more):
    counts = []
    for chosen in ({}, options):
        given = arguments(load(name).unlearn)
        if "forget_loader" in given:
            # The net is right on the forget set alone, so that no ascent of it ends early.
            images, labels = given["forget_loader"].dataset.tensors
            labels.copy_(network()(images).argmax(1))
        meter = Meter()
        meter.watch(*(value for value in given.values() if isinstance(value, nn.Module)))
        run(name, given=given, options=chosen)
        counts.append(+meter.count)
    assert counts[1] - counts[0] == Counter(more)


def test_retrain_trains_from_scratch_once_with_its_seed():
    given = arguments(load("retrain").unlearn, seed=8)
    model = run("retrain", seed=8, given=given)
    assert given["train_from_scratch"].calls == [8]
    assert same(model, network(seed=8))
    assert ENTRIES["retrain"].cost.startswith("E R fb")


@pytest.mark.parametrize("name", NAMES)
def test_a_method_asks_for_what_it_says_it_needs(name):
    asked = set(inspect.signature(load(name).unlearn).parameters) & {
        "retain_loader", "forget_loader", "val_loader", "original_model", "initial_model", "oracle_model",
        "train_from_scratch", "class_weights",
    }  # fmt: skip
    assert asked == set(ENTRIES[name].arguments)


@pytest.mark.parametrize("name", NAMES)
def test_optional_needs_are_left_alone_by_default(name):
    given = arguments(load(name).unlearn, sizes=SMALL, batch_size=16)
    for argument, always in ENTRIES[name].arguments.items():
        if not always:
            given[argument] = None
    run(name, given=given)


@pytest.mark.parametrize("batch_norm", [True, False], ids=["batch_norm", "no_batch_norm"])
@pytest.mark.parametrize(("channels", "classes"), [(1, 2), (3, 100)])
@pytest.mark.parametrize("name", NAMES)
def test_any_net_number_of_channels_and_of_classes(name, channels, classes, batch_norm):
    model = run(name, sizes=(41, 9, 9), batch_size=8, channels=channels, classes=classes, batch_norm=batch_norm)
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    assert model.eval()(torch.zeros(2, channels, 4, 4)).shape == (2, classes)


@pytest.mark.parametrize("name", NAMES)
def test_a_net_without_convolutions(name):
    given = arguments(load(name).unlearn, sizes=SMALL, batch_size=16)
    for argument, seed in (("model", 0), ("original_model", 0), ("initial_model", 1), ("oracle_model", 2)):
        if argument in given:
            torch.manual_seed(seed)
            given[argument] = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3))
    before = [p.clone() for p in given["model"].parameters()] if "model" in given else []
    model = run(name, seed=1, given=given)
    if name not in ("identity", "retrain"):
        assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("sizes", [(33, 17, 17), (33, 1, 1)], ids=["last_batch_of_one", "sets_of_one"])
@pytest.mark.parametrize("name", NAMES)
def test_a_last_batch_of_one_example(name, sizes):
    options = {
        option: 16
        for option in inspect.signature(load(name).unlearn).parameters
        if option in ("batch_size", "forget_batch_size")
    }
    model = run(name, sizes=sizes, batch_size=16, options=options)
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


@pytest.mark.parametrize("name", NAMES)
def test_a_method_leaves_no_hooks_and_no_frozen_parameters(name):
    given = arguments(load(name).unlearn, sizes=SMALL, batch_size=16)
    model = run(name, given=given)
    assert all(p.requires_grad and not p._backward_hooks for p in model.parameters())
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("name", NAMES)
def test_a_method_leaves_original_initial_and_oracle_model_as_they_were(name):
    given = arguments(load(name).unlearn, sizes=SMALL, batch_size=16)
    run(name, given=given)
    for argument, seed in (("original_model", 0), ("initial_model", 1), ("oracle_model", 2)):
        if argument in given:
            assert same(given[argument], network(seed=seed)), argument
