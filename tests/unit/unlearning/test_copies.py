"""Method files: arguments by name, guarded originals, copies that depend on nothing but their index."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.seeds import Streams
from unlearning_metric.training.train import train_models
from unlearning_metric.training.trainable import initial_model
from unlearning_metric.unlearning.copies import (
    ARGUMENTS,
    METHOD,
    Method,
    MethodError,
    load_method,
    run_copies,
)
from unlearning_metric.unlearning.offer import Offer, Start
from unlearning_metric.user_code.binding import bind

METHODS = Path(__file__).resolve().parents[3] / "methods"
MODEL = Model(name="digits_cnn", width=4)
RECIPE = Training(lr=0.1, epochs=1, batch_size=16)
RNG = np.random.default_rng(0)


def images(count: int) -> ImageDataset:
    pixels = RNG.integers(256, size=(count, 8, 8, 1), dtype=np.uint8)
    return ImageDataset(pixels, RNG.integers(3, size=count), np.array([127.0]), np.array([74.0]))


SETS = {"retain": images(40), "forget": images(10), "validation": images(7)}


@pytest.fixture
def originals() -> list[nn.Module]:
    return [build_model(MODEL, (8, 8, 1), 3, seed).eval() for seed in (0, 1)]


def run(method, originals, copies=(0, 1), name="mine", seed=0, oracles=None, **options):
    return run_all(method, originals, copies, name, seed, oracles=oracles, **options).states


WEIGHTS = np.array([0.1, 0.2, 0.3], np.float32)


def run_all(method, originals, copies=(0, 1), name="mine", seed=0, sets=SETS, oracles=None, **options):
    start = Start(originals, sets, 3, MODEL, RECIPE, WEIGHTS, seed, oracles)
    return run_copies(Method(name, lambda: method, options), start, copies)


def equal(one: dict, two: dict) -> bool:
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)


def zero(model: nn.Module) -> None:
    for tensor in model.state_dict().values():
        tensor.zero_()


def test_every_argument_is_filled_with_what_it_says(originals):
    seen = []

    def unlearn(
        model, net, original_model, initial_model, oracle_model, retain_loader, forget_loader, val_loader, seed,
        generator, device, num_classes, train_config, class_weights, train_from_scratch,
    ):  # fmt: skip
        seen.append(locals())

    assert set(unlearn.__code__.co_varnames) == set(ARGUMENTS)
    oracles = {i: build_model(MODEL, (8, 8, 1), 3, 70 + i).state_dict() for i in (0, 1, 2)}
    run(unlearn, originals, [1], oracles=oracles)
    (given,) = seen
    assert given["model"] is given["net"]
    assert given["original_model"] is not given["model"]
    assert given["original_model"] is not originals[1]
    assert equal(given["original_model"].state_dict(), originals[1].state_dict())
    assert equal(given["model"].state_dict(), originals[1].state_dict())
    for part, name in (("retain", "retain"), ("forget", "forget"), ("val", "validation")):
        labels = torch.cat([batch for _, batch in given[f"{part}_loader"]])
        assert torch.equal(labels.sort().values, SETS[name].labels.sort().values)
    assert equal(given["oracle_model"].state_dict(), oracles[1])
    assert not given["oracle_model"].training
    assert given["retain_loader"].shuffle
    assert given["forget_loader"].shuffle
    assert isinstance(given["seed"], int)
    assert 0 <= given["seed"] < 2**31
    assert isinstance(given["generator"], torch.Generator)
    assert given["device"] == torch.device("cpu")
    assert given["num_classes"] == 3
    assert given["train_config"] == RECIPE.model_dump()
    np.testing.assert_allclose(given["class_weights"].numpy(), [0.1, 0.2, 0.3])


def test_the_seed_projects_signature_in_place_is_taken_as_it_is(originals):
    def unlearn_1(net, retain_loader, forget_loader):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        net.train()
        for inputs, targets in retain_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        net.eval()

    states = run(unlearn_1, originals)
    assert not equal(states[0], originals[0].state_dict())


def test_a_returned_model_is_taken_instead_of_the_one_given(originals):
    def unlearn(model):
        zero(model)
        return build_model(MODEL, (8, 8, 1), 3, seed=9)

    assert equal(run(unlearn, originals)[0], build_model(MODEL, (8, 8, 1), 3, seed=9).state_dict())


def test_copy_i_starts_from_original_i_modulo_their_number(originals):
    states = run(lambda model: None, originals, range(5))
    for index, state in states.items():
        assert equal(state, originals[index % 2].state_dict())


def test_originals_are_never_altered(originals):
    before = [{name: t.clone() for name, t in m.state_dict().items()} for m in originals]

    def unlearn(model, original_model):
        zero(model)
        zero(original_model)
        model.train()
        model.requires_grad_(False)

    states = run(unlearn, originals, range(3))
    assert all(not tensor.any() for state in states.values() for tensor in state.values())
    for model, state in zip(originals, before, strict=True):
        assert equal(model.state_dict(), state)
        assert not model.training
        assert all(p.requires_grad for p in model.parameters())


def test_the_configuration_a_method_changes_is_its_own_copy(originals):
    def unlearn(model, train_config):
        assert train_config["epochs"] == 1
        train_config["epochs"] = 99

    run(unlearn, originals)
    assert RECIPE.epochs == 1


def test_kept_states_do_not_change_with_a_model_the_method_holds_on_to(originals):
    held = build_model(MODEL, (8, 8, 1), 3, seed=4)

    def unlearn(seed):
        with torch.no_grad():
            next(held.parameters()).fill_(seed % 97)
        return held

    states = run(unlearn, originals, [0, 1])
    assert not equal(states[0], states[1])


@pytest.mark.parametrize("source", ["torch", "numpy", "random", "generator", "seed", "loader"])
def test_randomness_repeats_with_the_seed_and_differs_by_copy_method_and_experiment(originals, source):
    import random

    def unlearn(model, seed, generator, retain_loader):
        value = {
            "torch": lambda: torch.rand(()),
            "numpy": np.random.rand,
            "random": random.random,
            "generator": lambda: torch.rand((), generator=generator),
            "seed": lambda: seed / 2**31,
            "loader": lambda: next(iter(retain_loader))[0].double().mean(),
        }[source]()
        with torch.no_grad():
            next(model.parameters()).fill_(float(value))

    one = [originals[0]]
    first = run(unlearn, one, [0, 1])
    assert all(equal(first[i], run(unlearn, one, [0, 1])[i]) for i in (0, 1))
    others = [first[1], run(unlearn, one, [0], seed=1)[0], run(unlearn, one, [0], name="another")[0]]
    assert not any(equal(first[0], other) for other in others)


@pytest.mark.parametrize("method", ["finetune", "reset_head", "retrain", "identity"])
def test_copies_do_not_depend_on_the_shard_they_are_in(originals, method):
    function = load_method(METHODS / f"{method}.py")
    one = [originals[0]]
    together = run(function, one, [0, 1], method)
    for index in (1, 0):
        assert equal(run(function, one, [index], method)[index], together[index])
    assert equal(together[0], together[1]) == (method == "identity")


@pytest.mark.parametrize("method", ["finetune", "reset_head"])
def test_hyper_parameters_reach_the_method(originals, method):
    function = load_method(METHODS / f"{method}.py")
    plain, tuned = (run(function, originals, [0], method, **o)[0] for o in ({}, {"lr": 0.1, "epochs": 2}))
    assert not equal(plain, tuned)


def test_reset_head_redraws_the_last_linear_layer_and_finetune_keeps_it(originals):
    weight = [name for name in originals[0].state_dict() if name.endswith("weight")][-1]
    moved = {}
    for method in ("finetune", "reset_head"):
        state = run(load_method(METHODS / f"{method}.py"), originals, [0], method, lr=1e-9)[0]
        moved[method] = (state[weight] - originals[0].state_dict()[weight]).abs().max()
        assert torch.allclose(state["0.weight"], originals[0].state_dict()["0.weight"], atol=1e-6)
    assert moved["finetune"] < 1e-6
    assert moved["reset_head"] > 0.01


def test_retrain_gives_models_of_its_own_and_none_of_the_reference_ones(originals):
    states = run(load_method(METHODS / "retrain.py"), originals, range(3), "retrain")
    reference, _ = train_models(SETS["retain"], MODEL, 3, RECIPE, Streams.of_models(0, "retain", range(3)))
    every = [*states.values(), *reference.values()]
    assert not any(equal(a, b) for i, a in enumerate(every) for b in every[:i])


def test_retrain_ignores_the_original_and_the_forget_set(originals, monkeypatch):
    function = load_method(METHODS / "retrain.py")
    before = run(function, originals, [0], "retrain")[0]
    monkeypatch.setitem(SETS, "forget", images(5))
    assert equal(run(function, originals[::-1], [0], "retrain")[0], before)


def test_a_parameter_nobody_can_fill_is_named_with_those_that_can_be():
    with pytest.raises(MethodError) as caught:
        bind(lambda model, teacher: None, {}, METHOD, "mine")
    for part in ("mine", "'teacher'", *ARGUMENTS):
        assert part in str(caught.value)


def test_a_parameter_that_is_nearly_one_of_them_is_answered_with_it():
    with pytest.raises(MethodError, match=r"'retain_dataloader'\. Did you mean 'retain_loader'\?"):
        bind(lambda model, retain_dataloader: None, {}, METHOD, "mine")


def test_validation_examples_that_are_not_there_are_said_unless_there_is_a_default(originals):
    none = {**SETS, "validation": images(0)}

    def needs(model, val_loader):
        pass

    def can_do_without(model, val_loader=None):
        assert val_loader is None

    with pytest.raises(MethodError, match=r"mine asks for val_loader: there are no .* data.validation_size is 0\. Set"):
        run_all(needs, originals, sets=none)
    run_all(can_do_without, originals, sets=none)


def test_an_oracle_that_is_not_there_is_said(originals):
    with pytest.raises(MethodError, match="mine asks for oracle_model"):
        run(lambda oracle_model: oracle_model, originals)


def test_the_initial_model_is_what_the_copys_original_was_trained_from(originals):
    seen = {}

    def unlearn(model, initial_model, seed):
        seen[seed] = initial_model
        return initial_model

    states = run(unlearn, originals, [0, 1, 2])
    still = RECIPE.model_copy(update={"lr": 0.0, "weight_decay": 0.0})
    trained, _ = train_models(SETS["retain"], MODEL, 3, still, Streams.of_models(0, "full", [0, 1]))
    for copy in (0, 1, 2):
        for name, tensor in trained[copy % 2].items():
            # Training with a learning rate of 0 leaves the weights; batch norm still counts.
            if "running" not in name and "num_batches" not in name:
                assert torch.equal(states[copy][name], tensor)
    assert not any(model.training for model in seen.values())


def test_copies_from_another_original_draw_apart_and_know_which_it_is(originals):
    def offer(original, index=0):
        start = Start(originals[:1], SETS, 3, MODEL, RECIPE, WEIGHTS, 0, original=original)
        return Offer(start, "mine", index)

    assert len({offer(original).seed for original in (0, 1, 2)}) == 3
    # With an original a copy they draw as those of one original do.
    assert offer(None, 4).seed == offer(0, 4).seed
    for original, index, number in ((2, 4, 2), (None, 4, 4)):
        initial = initial_model(MODEL, (8, 8, 1), 3, Streams(0, "full", number)).state_dict()
        assert equal(offer(original, index).argument("initial_model").state_dict(), initial)


def test_initial_weights_of_an_original_trained_elsewhere_are_unknown(originals):
    def unlearn(model, initial_model=None):
        assert initial_model is None

    def run_elsewhere(method):
        start = Start(originals, SETS, 3, MODEL, RECIPE, WEIGHTS, 0, trained_here=False)
        run_copies(Method("mine", lambda: method), start, [0])

    run_elsewhere(unlearn)
    with pytest.raises(MethodError, match="mine asks for initial_model"):
        run_elsewhere(lambda model, initial_model: None)


@pytest.mark.parametrize("recipe", [{}, {"crop": 2, "flip": True}], ids=str)
def test_loaders_crop_and_flip_as_the_recipe_does_but_for_validation(originals, recipe):
    stored = {part: SETS[part].batch(torch.arange(len(SETS[part])))[0] for part in SETS}
    found = {}

    def unlearn(model, retain_loader, forget_loader, val_loader):
        for part, loader in (("retain", retain_loader), ("forget", forget_loader), ("validation", val_loader)):
            images = torch.cat([images for images, _ in loader])
            found[part] = all((stored[part] == image).flatten(1).all(1).any() for image in images)

    start = Start(originals, SETS, 3, MODEL, RECIPE.model_copy(update=recipe), WEIGHTS, 0)
    run_copies(Method("mine", lambda: unlearn), start, [0])
    assert found == {"retain": not recipe, "forget": not recipe, "validation": True}


def test_text_among_the_options_has_the_type_of_the_default(originals):
    seen = {}

    def unlearn(model, lr=0.1, epochs=1, nesterov=False, schedule="constant"):
        seen.update(locals())

    run(unlearn, originals, [0], lr="1e-3", epochs="3", nesterov="true", schedule="5")
    assert (seen["lr"], seen["epochs"], seen["nesterov"], seen["schedule"]) == (0.001, 3, True, "5")
    with pytest.raises(MethodError, match=r'methods\.mine\.epochs: "many" is not allowed. Expected an integer'):
        run(unlearn, originals, [0], epochs="many")


def test_an_unknown_option_is_refused_with_a_guess():
    with pytest.raises(MethodError, match=r"methods\.mine\.epoch:.*Did you mean 'epochs'\?"):
        bind(lambda model, epochs=1, lr=0.1: None, {"epoch": 3}, METHOD, "mine")


def test_an_option_the_harness_fills_cannot_be_set():
    with pytest.raises(MethodError, match=r"methods\.mine\.seed"):
        bind(lambda model, seed: None, {"seed": 3}, METHOD, "mine")


def test_options_fill_parameters_without_default_and_open_keywords():
    assert bind(lambda model, teacher: None, {"teacher": 1}, METHOD, "mine") == ["model"]
    assert bind(lambda net, *rest, **more: None, {"anything": 1}, METHOD, "mine") == ["net"]


def test_a_positional_only_parameter_is_refused():
    def unlearn(model, /):
        pass

    with pytest.raises(MethodError, match="positional-only"):
        bind(unlearn, {}, METHOD, "mine")


@pytest.mark.parametrize("value", [3, {"w": 1}, "model"])
def test_a_result_that_is_no_model_is_refused(originals, value):
    with pytest.raises(MethodError, match=f"mine returned {type(value).__name__}"):
        run(lambda model: value, originals)


@pytest.mark.parametrize("classes", [3, 4])
def test_a_model_of_another_form_is_refused(originals, classes):
    other = build_model(Model(name="digits_cnn", width=4 if classes == 4 else 5), (8, 8, 1), classes, 0)
    with pytest.raises(MethodError, match="another form"):
        run(lambda model: other, originals)


def test_a_failing_method_names_the_copy_and_keeps_its_exception(originals):
    def unlearn(model, calls=[]):  # noqa: B006 (counts the calls)
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError("oh")

    with pytest.raises(
        MethodError,
        match=r"mine failed on copy 5 \(seed \d+\): ZeroDivisionError: oh \(unlearning/test_copies\.py, line \d+: ",
    ) as caught:
        run(unlearn, originals, [4, 5, 6])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_method_file_may_import_the_helper_beside_it(tmp_path):
    (tmp_path / "_unit_helper_a.py").write_text("VALUE = 41\n")
    (tmp_path / "mine.py").write_text("from _unit_helper_a import VALUE\n\n\ndef unlearn():\n    return VALUE + 1\n")
    assert load_method(tmp_path / "mine.py")() == 42


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def unlearn(:\n", "cannot be imported: SyntaxError"),
        ("X = 1\n\ndef unlearn(:\n", "/mine.py, line 3: def unlearn(:). Mend it and run again."),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
        (
            "import no_such_module_anywhere\n",
            "/mine.py, line 1: import no_such_module_anywhere). If no_such_module_any",
        ),
        ("import no_such_module_anywhere\n", "is a package, install it into the workflow's environment"),
        ("import no_such_module_anywhere\n", "if it is a file of yours, put it beside mine.py."),
        ("X = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("X = 1 / 0\n", "/mine.py, line 1: X = 1 / 0). Mend it and run again."),
        ("import sys\n\nsys.exit(3)\n", "SystemExit: 3"),
        ("def forget(model):\n    pass\n", "no function 'unlearn'. It defines: forget"),
        ("def forget(model):\n    pass\n", "say in the configuration, under methods, what it is called: function: ..."),
        ("unlearn = 3\n", "It defines: none"),
        ("", "is empty. Write a function into it, such as: def unlearn(model, retain_loader, forget_loader): ..."),
        ('"""Mine."""\n# later\n', "is empty."),
    ],
)
def test_an_unusable_method_file_is_refused_with_its_name(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(MethodError) as caught:
        load_method(tmp_path / "mine.py")
    assert str(caught.value).startswith("method file mine.py ")
    assert said in str(caught.value)


def test_the_function_may_have_another_name(tmp_path):
    (tmp_path / "mine.py").write_text("def forget():\n    return 42\n")
    assert load_method(tmp_path / "mine.py", "forget")() == 42


def test_a_method_file_may_define_a_dataclass(tmp_path):
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Settings:\n"
    text += "    lr: float = 0.5\n\n\ndef unlearn():\n    return Settings().lr\n"
    (tmp_path / "mine.py").write_text(text)
    assert load_method(tmp_path / "mine.py")() == 0.5


def test_a_method_may_import_the_helper_beside_it_late(tmp_path):
    (tmp_path / "_unit_helper_b.py").write_text("VALUE = 41\n")
    (tmp_path / "mine.py").write_text("def unlearn():\n    import _unit_helper_b\n\n    return _unit_helper_b.VALUE\n")
    assert load_method(tmp_path / "mine.py")() == 41


def test_a_method_that_edits_its_examples_changes_no_other_copy(originals):
    seen = []

    def unlearn(model, forget_loader, train_from_scratch, seed):
        seen.append(forget_loader.dataset.labels.clone())
        forget_loader.dataset.labels.zero_().add_(2)
        forget_loader.dataset.images.zero_()

    before = SETS["forget"].labels.clone()
    run(unlearn, originals, [0, 1])
    assert torch.equal(seen[0], before)
    assert torch.equal(seen[1], before)
    assert torch.equal(SETS["forget"].labels, before)


def test_an_option_that_a_method_edits_is_whole_again_for_the_next_copy(originals):
    seen = []

    def unlearn(model, layers=()):
        seen.append(len(layers))
        layers.clear()

    run(unlearn, originals, [0, 1], layers=["head"])
    assert seen == [1, 1]


def test_the_first_copy_of_a_process_loads_nothing_for_its_optimizer_that_retraining_had_loaded(run_code):
    text = "import sys, torch\nfrom unlearning_metric.jobs.unlearn import _load_libraries\n_load_libraries('cpu')\n"
    text += "before = set(sys.modules)\nweight = torch.zeros(2, requires_grad=True)\n"
    text += "optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)\nweight.sum().backward()\noptimizer.step()\n"
    text += "print(sorted(set(sys.modules) - before))\n"
    assert run_code(text).stdout == "[]\n"
    without = text.replace("_load_libraries('cpu')\n", "")
    assert run_code(without).stdout not in ("[]\n", "")
