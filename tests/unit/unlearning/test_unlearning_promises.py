"""What a method may count on, and what it may do without harm to another copy: the promises of the contract."""

import copy
import itertools
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset

from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.unlearning.copies import method_of_file
from unlearning_metric.user_code.contract import ARGUMENTS, MethodError

MODEL, SHAPE, CLASSES = Model(name="digits_cnn", width=4), (8, 8, 1), 3


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
    assert type(label) is int
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

    assert passes(small.run(unlearn)) == {"retain": small.recipe.epochs, "forget": 0, "validation": 0}


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
    assert isinstance(small.sets["retain"][0], tuple)


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
        match=r"mine .*copy 4 \(seed \d+\) .*max_seconds_per_copy .*"
        r"test_unlearning_promises\.py, line \d+: time\.sleep\(0\.01\)  # for ever",
    ):
        small.run(unlearn, (4,), max_seconds=0.2)


def test_a_copy_that_ends_in_time_is_kept(small):
    assert len(small.run(lambda model: None, (0, 1, 2), max_seconds=5.0).states) == 3


def test_a_method_that_ends_the_program_is_a_failed_method(small):
    def unlearn(model):
        raise SystemExit("bye")

    with pytest.raises(MethodError, match=r"mine failed on copy 0 .*SystemExit: bye \(unlearning/test_unl"):
        small.run(unlearn)


# What a copy is handed or leaves behind reaches no other one.


def spoil(value, seen):
    """Change a value in place, and whatever is reached from it, however deep."""
    if id(value) in seen or isinstance(
        value, type | str | bytes | int | float | torch.device | torch.Size | torch.dtype
    ):
        return
    seen[id(value)] = value
    if isinstance(value, torch.Tensor):
        with torch.no_grad():
            value.zero_()
    elif isinstance(value, np.ndarray):
        value[...] = 0
    elif isinstance(value, torch.Generator):
        value.manual_seed(0)
    elif isinstance(value, dict):
        for item in list(value.values()):
            spoil(item, seen)
        value.clear()
    elif isinstance(value, list | tuple):
        for item in value:
            spoil(item, seen)
        if isinstance(value, list):
            value.clear()
    elif (hasattr(value, "__dict__") and not callable(value)) or isinstance(value, nn.Module):
        if isinstance(value, nn.Module):
            for tensor in [*value.parameters(), *value.buffers()]:
                spoil(tensor, seen)
        else:
            for item in list(vars(value).values()):
                spoil(item, seen)


def fingerprint(value):
    """What a method can tell of an argument."""
    if isinstance(value, nn.Module):
        return [tensor.tolist() for tensor in value.state_dict().values()]
    if hasattr(value, "dataset"):
        return [value.batch_size, [[part.tolist() for part in batch] for batch in value]]
    if isinstance(value, torch.Generator):
        return value.get_state().tolist()
    return value.tolist() if isinstance(value, torch.Tensor) else copy.deepcopy(value)


def test_whatever_a_copy_is_handed_is_its_own_to_change(small):
    """Every argument of the contract but the function, spoilt in place, and all that is reached from it."""
    seen = {}

    def method(spoils):
        def unlearn(
            model, original_model, initial_model, oracle_model, retain_loader, forget_loader, val_loader, seed,
            generator, device, num_classes, train_config, class_weights, nested=(),
        ):  # fmt: skip
            given = {name: value for name, value in locals().items() if name not in ("spoils", "seen")}
            seen.setdefault(seed, []).append({name: fingerprint(value) for name, value in given.items()})
            if spoils:
                spoil(given, {})

        return unlearn

    oracles = {index: build_model(MODEL, SHAPE, CLASSES, 70 + index).state_dict() for index in range(3)}
    asked = {"copies": (0, 2, 1), "oracles": oracles, "options": {"nested": [{"rates": [0.1, {"a": 1}]}]}}
    small.run(method(False), **asked)
    small.run(method(True), **asked)
    small.run(method(False), **asked)
    assert len(seen) == 3
    for first, *others in seen.values():
        assert set(first) | {"net", "train_from_scratch"} == {*ARGUMENTS, "nested"}
        assert all(first == other for other in others)


def test_training_from_scratch_knows_nothing_of_what_a_copy_did_to_its_examples(small, tmp_path):
    """Whatever the form of the method's own batches, the training gets its validation examples in its own."""
    file = tmp_path / "training.py"
    file.write_text(
        "import torch\n\n\ndef train(model, train_loader, val_loader):\n"
        "    for loader in (train_loader, val_loader):\n"
        "        total = sum(images.sum() + 100 * labels.sum() for images, labels in loader)\n"
        "        with torch.no_grad():\n            next(model.parameters()).add_(1e-3 * total)\n"
    )

    def plain(train_from_scratch):
        return train_from_scratch(5)

    def spoiling(train_from_scratch, retain_loader, val_loader, train_config):
        spoil([retain_loader.dataset, val_loader.dataset, train_config], {})
        return train_from_scratch(5)

    recipe = small.recipe.model_copy(update={"file": str(file)})
    wanted = small.run(plain, recipe=recipe)
    for batches in ("tuple", "kaggle"):
        found = small.run(spoiling, recipe=recipe, batches=batches)
        assert equal(found.states[0], wanted.states[0])
        assert passes(found) == passes(wanted) == {"retain": 1.0, "forget": 0.0, "validation": 1.0}


LEAVES_BEHIND = {
    "module variable": "best = None\n\n\ndef unlearn(model, seed):\n    global best\n    mark = best = best or seed",
    "mutable default": "def unlearn(model, seed, held=[]):\n    held.append(seed)\n    mark = held[0]",
    "cache": "import functools\n\n\n@functools.cache\ndef first(key=0):\n    return {}\n\n\ndef unlearn(model, seed):\n"
    "    mark = first().setdefault('seed', seed)",
    "helper beside it": "import _state\n\n\ndef unlearn(model, seed):\n    mark = _state.held.setdefault('seed', seed)",
    "class": "class Best:\n    seed = None\n\n\ndef unlearn(model, seed):\n    mark = Best.seed = Best.seed or seed",
    "file": "import os\n\n\ndef unlearn(model, seed):\n    if not os.path.exists('best.txt'):\n"
    "        open('best.txt', 'w').write(str(seed))\n    mark = int(open('best.txt').read())",
    "file in a new folder": "import os\n\n\ndef unlearn(model, seed):\n    os.makedirs('checkpoints', exist_ok=True)\n"
    "    if not os.listdir('checkpoints'):\n        open('checkpoints/best.txt', 'w').write(str(seed))\n"
    "    mark = int(open('checkpoints/best.txt').read())",
}  # fmt: skip


@pytest.mark.parametrize("how", LEAVES_BEHIND)
def test_what_a_copy_leaves_behind_reaches_no_other(small, tmp_path, how):
    (tmp_path / "_state.py").write_text("held = {}\n")
    # What is marked is written into the model, so that copies tell which seed they saw.
    text = LEAVES_BEHIND[how] + "\n    next(model.parameters()).data.view(-1)[0] = mark % 1000003\n"
    (tmp_path / "mine.py").write_text(text)
    method = method_of_file("mine", tmp_path / "mine.py", "unlearn", {})
    together = small.run(method, (0, 1, 2)).states
    for index in (2, 1, 0):
        alone = method_of_file("mine", tmp_path / "mine.py", "unlearn", {})
        assert equal(small.run(alone, (index,)).states[index], together[index])
    assert len({float(state["0.weight"].view(-1)[0]) for state in together.values()}) == 3


def test_an_edit_while_copies_run_reaches_none_of_them(small, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "def unlearn(model, seed):\n    model[-1].bias.data.fill_(1)\n    edit()\n".replace("edit()", "import _edit")
    )
    (tmp_path / "_edit.py").write_text(f"open({str(file)!r}, 'w').write('def unlearn(model): 1 / 0')\n")
    states = small.run(method_of_file("mine", file, "unlearn", {}), (0, 1, 2)).states
    assert all((state["7.bias"] == 1).all() for state in states.values())


def test_a_class_that_the_net_and_the_method_import_stays_one_class(small, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    pass\n\n\ndef build(num_classes):\n"
        "    return Net(nn.Flatten(), nn.Linear(64, num_classes))\n"
    )
    text = "from net import Net\n\n\ndef unlearn(model):\n    assert isinstance(model, Net)\n"
    (tmp_path / "mine.py").write_text(text)
    model = Model(file=str(tmp_path / "net.py"))
    small.originals[:] = [build_model(model, SHAPE, CLASSES, 0)]
    assert len(small.run(method_of_file("mine", tmp_path / "mine.py", "unlearn", {}), (0, 1)).states) == 2


def test_files_of_the_project_are_read_by_relative_paths_and_stay_as_they_are(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise.txt").write_text("3")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "more.txt").write_text("4")

    def unlearn(model):
        from pathlib import Path

        value = int(Path("noise.txt").read_text()) + int(Path("data/more.txt").read_text())
        Path("noise.txt").write_text("9")
        Path("best.pt").write_text("x")
        Path("data/kept.txt").write_text("x")
        with torch.no_grad():
            model[-1].bias.fill_(value)

    states = small.run(unlearn, (0, 1)).states
    assert all((state["7.bias"] == 7).all() for state in states.values())
    found = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"noise.txt", "more.txt", "kept.txt"}
    assert (tmp_path / "noise.txt").read_text() == "3"
