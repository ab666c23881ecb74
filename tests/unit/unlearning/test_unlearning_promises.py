"""What a method may count on, and what it may do without harm to another copy: the promises of the contract."""

import copy
import itertools
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset

from unlearning_metric.batches.loaders import KaggleDataset
from unlearning_metric.user_code.contract import MethodError


def equal(one: dict, two: dict) -> bool:
    return all(torch.equal(one[name], two[name]) for name in two)


def passes(copies, index=0):
    return {part: of_copy[index] for part, of_copy in copies.passes.items()}


# Ways to read the sets: each returns the number of examples that it has seen of (retain, forget, validation).


def plain_loop(retain, forget, validation):
    return sum(len(labels) for _, labels in retain), 0, 0


def two_passes_and_a_half(retain, forget, validation):
    seen = sum(len(labels) for _ in range(2) for _, labels in retain)
    return seen + sum(len(labels) for _, labels in itertools.islice(retain, 1)), 0, 0


def zipped(retain, forget, validation):
    pairs = [(len(r), len(f)) for (_, r), (_, f) in zip(retain, forget, strict=False)]
    # zip draws from its first iterable before it finds the second empty.
    return sum(r for r, _ in pairs) + 16, sum(f for _, f in pairs), 0


def cycled(retain, forget, validation):
    again = itertools.cycle(forget)
    used = [len(next(again)[1]) for _ in range(len(retain))]
    # A cycle keeps what it has seen: the set is read once.
    assert len(used) == 3
    return 0, 10, 0


def iterators(retain, forget, validation):
    steps = iter(validation)
    first = next(steps)
    assert first[0].shape == (7, 1, 8, 8)
    assert next(steps, None) is None
    return 0, 0, 7


def single_items(retain, forget, validation):
    image, label = retain.dataset[3]
    assert image.shape == (1, 8, 8)
    assert label.shape == ()
    return 1, 0, 0


def own_loader(retain, forget, validation):
    loader = DataLoader(retain.dataset, batch_size=8, shuffle=True)
    assert len(loader) == 5
    return sum(len(labels) for _, labels in loader), 0, 0


def own_loader_with_workers(retain, forget, validation):
    loader = DataLoader(retain.dataset, batch_size=8, shuffle=True, num_workers=2)
    return sum(len(labels) for _, labels in loader), 0, 0


def subset(retain, forget, validation):
    chosen = Subset(retain.dataset, torch.randperm(len(retain.dataset))[: len(forget.dataset)].tolist())
    return sum(len(labels) for _, labels in DataLoader(chosen, batch_size=4)), 0, 0


def concatenation(retain, forget, validation):
    both = ConcatDataset([retain.dataset, forget.dataset])
    assert sum(len(labels) for _, labels in DataLoader(both, batch_size=7, shuffle=True)) == 50
    return 40, 10, 0


def own_dataset(retain, forget, validation):
    class Relabelled(torch.utils.data.Dataset):
        def __len__(self):
            return len(forget.dataset)

        def __getitem__(self, index):
            image, label = forget.dataset[index]
            return image, (label + 1) % 3

    return 0, sum(len(labels) for _, labels in DataLoader(Relabelled(), batch_size=4, num_workers=1)), 0


def copied_dataset(retain, forget, validation):
    return 0, len([label for _, label in DataLoader(copy.deepcopy(forget.dataset), batch_size=1)]), 0


@pytest.mark.parametrize(
    "read",
    [
        plain_loop, two_passes_and_a_half, zipped, cycled, iterators, single_items, own_loader,
        own_loader_with_workers, subset, concatenation, own_dataset, copied_dataset,
    ],
)  # fmt: skip
def test_sets_may_be_read_in_any_way_and_what_is_read_is_counted(small, read):
    seen = {}

    def unlearn(model, retain_loader, forget_loader, val_loader, seed):
        assert (len(retain_loader), retain_loader.batch_size, len(retain_loader.dataset)) == (3, 16, 40)
        seen[seed] = read(retain_loader, forget_loader, val_loader)

    copies = small.run(unlearn, (0, 1))
    for index, (retain, forget, validation) in enumerate(seen.values()):
        expected = {"retain": retain / 40, "forget": forget / 10, "validation": validation / 7}
        assert passes(copies, index) == pytest.approx(expected)


def test_training_from_scratch_counts_as_passes_over_the_retain_set(small):
    def unlearn(train_from_scratch, seed):
        return train_from_scratch(seed)

    assert passes(small.run(unlearn)) == {"retain": small.recipe["epochs"], "forget": 0, "validation": 0}


def test_an_empty_set_has_no_passes(small):
    small.sets["validation"] = small.sets["validation"].duplicate()
    for name in ("images", "labels"):
        setattr(small.sets["validation"], name, getattr(small.sets["validation"], name)[:0])
    assert passes(small.run(lambda model: None))["validation"] == 0


def test_dictionaries_hold_what_pairs_hold(small):
    seen = {}

    def unlearn(model, retain_loader, forget_loader):
        seen["batch"] = next(iter(retain_loader))
        seen["item"] = forget_loader.dataset[3]
        seen["own"] = next(iter(DataLoader(forget_loader.dataset, batch_size=4)))

    copies = small.run(unlearn, batches="kaggle")
    assert passes(copies) == pytest.approx({"retain": 16 / 40, "forget": 0.5, "validation": 0})
    assert seen["batch"]["image"].shape == (16, 1, 8, 8)
    image, label = small.sets["forget"][3]
    assert torch.equal(seen["item"]["image"], image)
    assert seen["item"]["age_group"] == label
    assert seen["item"]["image_id"] == 3
    assert seen["own"]["age_group"].tolist() == small.sets["forget"].labels[:4].tolist()
    order = seen["batch"]["image_id"]
    assert torch.equal(seen["batch"]["age_group"], small.sets["retain"].labels[order])
    assert not isinstance(small.sets["retain"], KaggleDataset)


# What a method may do to the process, to the model and to the examples.


def double_default(model, retain_loader):
    torch.set_default_dtype(torch.float64)


def no_gradients(model, retain_loader):
    torch.set_grad_enabled(False)


def own_seed(model, retain_loader):
    torch.manual_seed(0)
    np.random.seed(0)


def hooks_and_frozen(model, retain_loader):
    model.requires_grad_(False)
    model.train()
    model.register_forward_hook(lambda *_: torch.zeros(1))
    nn.modules.module.register_module_forward_pre_hook(lambda module, given: None if given else 1 / 0)


def altered_examples(model, retain_loader):
    retain_loader.dataset.images.zero_()
    retain_loader.batch_size = 1
    retain_loader.generator.manual_seed(3)


def altered_model(model, retain_loader):
    model[0] = nn.Conv2d(1, 4, 4, stride=2, padding=1, bias=False)
    model.double()


@pytest.mark.parametrize(
    "deed", [double_default, no_gradients, own_seed, hooks_and_frozen, altered_examples, altered_model]
)
def test_a_copy_is_the_same_whatever_the_copy_before_it_did(small, deed):
    def train(model, retain_loader):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.train()
        for images, labels in retain_loader:
            optimizer.zero_grad()
            noise = torch.randn(images.shape) + torch.from_numpy(np.random.randn(*images.shape)).float()
            nn.functional.cross_entropy(model(images + 0.01 * noise), labels).backward()
            optimizer.step()

    calls = []

    def naughty(model, retain_loader):
        calls.append(1)
        if len(calls) == 1:
            deed(model, retain_loader)
        else:
            train(model, retain_loader)

    before = [{name: tensor.clone() for name, tensor in one.state_dict().items()} for one in small.originals]
    after = small.run(naughty, (0, 2)).states
    assert equal(after[2], small.run(train, (2,)).states[2])
    assert {tensor.dtype for tensor in after[0].values()} == {torch.float32, torch.int64}
    for original, state in zip(small.originals, before, strict=True):
        assert equal(original.state_dict(), state)
        assert not original.training
        assert all(parameter.requires_grad for parameter in original.parameters())
        assert not original._forward_hooks


def test_random_states_of_the_caller_are_left_as_they_were(small):
    import random

    states = [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()]

    def unlearn(model):
        torch.rand(3)
        np.random.rand(3)
        random.random()

    small.run(unlearn, (0, 1))
    assert [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()] == states


def test_a_copy_that_does_not_end_is_stopped_and_its_line_is_named(small):
    def unlearn(model):
        while True:
            time.sleep(0.01)  # for ever

    with pytest.raises(
        MethodError,
        match=r"^method mine did not end on copy 4 \(seed \d+\) within max_seconds_per_copy \(0\.2 s\)\. Mend what "
        r"does not end, or raise max_seconds_per_copy in the configuration; it was here \("
        r"unlearning/test_unlearning_promises\.py, line \d+: time\.sleep\(0\.01\)  # for ever\)\.$",
    ):
        small.run(unlearn, (4,), max_seconds=0.2)


def test_a_copy_that_ends_in_time_is_kept(small):
    assert len(small.run(lambda model: None, (0, 1, 2), max_seconds=5.0).states) == 3


def test_a_method_that_ends_the_program_is_a_failed_method(small):
    def unlearn(model):
        raise SystemExit("bye")

    with pytest.raises(MethodError, match=r"mine failed on copy 0 .*SystemExit: bye \(unlearning/test_unl"):
        small.run(unlearn)
