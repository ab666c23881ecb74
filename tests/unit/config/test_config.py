"""What the configuration accepts, and what its messages say about the rest."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from unlearning_metric import config
from unlearning_metric.data import SOURCES

ROOT = Path(__file__).resolve().parents[3]
KNOWN = ("finetune", "identity", "reset_head", "retrain")


@pytest.fixture
def raw() -> dict:
    """The default configuration, less what it says of other methods than these four: it may gain any."""
    whole = config.read_yaml(ROOT / "config" / "config.yaml")
    methods = {name: options for name, options in whole["methods"].items() if name in KNOWN}
    return {**whole, "methods": methods, "skip": [name for name in whole["skip"] if name in KNOWN]}


def message(raw: dict, known: tuple[str, ...] = KNOWN) -> str:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(raw, known)
    text = str(caught.value)
    assert "pydantic" not in text
    assert "http" not in text
    return text


def only_problem(raw: dict, known: tuple[str, ...] = KNOWN) -> str:
    header, *problems = message(raw, known).splitlines()
    assert header == "config/config.yaml has 1 problem:"
    assert len(problems) == 1
    return problems[0]


def changed(raw: dict, key: str, value: object) -> dict:
    override: object = value
    for part in reversed(key.split(".")):
        override = {part: override}
    return config.merge(raw, override)


def test_default_configuration_parses(raw):
    parsed = config.parse(raw, KNOWN)
    assert (parsed.copies, parsed.shard_size, parsed.forget.count) == (64, None, 72)
    assert parsed.methods["finetune"] == {"lr": 0.1, "epochs": 3, "schedule": "one_cycle"}


def test_left_out_keys_get_their_defaults():
    parsed = config.parse(
        {
            "data": {"source": "digits"},
            "forget": {"strategy": "class", "label": 3},
            "model": {"name": "mlp"},
            "training": {"lr": 1, "epochs": 2, "batch_size": 8},
        },
        KNOWN,
    )
    assert (parsed.copies, parsed.originals.count, parsed.ceiling) == (64, 1, "split")
    assert (parsed.delta, parsed.efficiency.limit, parsed.training.weight_decay) == (1e-5, 0.2, 5e-4)
    assert (parsed.methods, parsed.skip, parsed.model.hidden) == ({}, [], [])


def test_resolved_configuration_parses_again(raw):
    parsed = config.parse(raw, KNOWN)
    assert config.parse(parsed.model_dump(), KNOWN) == parsed


def test_configuration_cannot_be_changed(raw):
    with pytest.raises(ValueError, match="frozen"):
        config.parse(raw, KNOWN).copies = 128


def test_direct_construction_checks_fields_against_each_other(raw):
    with pytest.raises(ValueError, match="shard_size"):
        config.Config(**{**raw, "copies": 65, "shard_size": 32})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("copies", [64], "copies: [64] is not allowed. Expected an integer of at least 4."),
        ("copies", 64.0, "copies: 64.0 is not allowed. Expected an integer of at least 4."),
        ("copies", "64", 'copies: "64" is not allowed. Expected an integer of at least 4. Write digits only'),
        ("copies", True, "copies: true is not allowed. Expected an integer of at least 4."),
        ("copies", None, "copies: null is not allowed."),
        ("training.lr", True, "training.lr: true is not allowed. Expected a number above 0, or null."),
        ("training.lr", "fast", 'training.lr: "fast" is not allowed. Expected a number above 0, or null.'),
        ("training.lr", -0.1, "training.lr: -0.1 is not allowed. Expected a number above 0, or null."),
        ("training.lr", float("nan"), "training.lr: NaN is not allowed."),
        ("training.momentum", 1, "Expected a number of at least 0 and below 1."),
        ("experiment_seed", -1, "experiment_seed: -1 is not allowed. Expected an integer of at least 0."),
        ("results", "", 'results: "" is not allowed. Expected text that is not empty.'),
        ("data.train_size", 0, "data.train_size: 0 is not allowed. Expected an integer above 0, or null."),
        ("model.hidden", [64, -1], "model.hidden[1]: -1 is not allowed. Expected an integer above 0."),
        ("training", None, "training: null is not allowed. Expected a mapping with keys among optimizer, lr"),
        ("methods.finetune", 3, "methods.finetune: 3 is not allowed. Expected a mapping, or null."),
    ],
)
def test_wrong_value_is_named_with_what_is_allowed(raw, key, value, expected):
    assert expected in only_problem(changed(raw, key, value))


@pytest.mark.parametrize(
    ("key", "value", "suggestion"),
    [
        (
            "data.source",
            "digit",
            f"Expected one of {', '.join(SOURCES)}. Did you mean 'digits'?",
        ),
        ("data.source", "CIFAR10", "Did you mean 'cifar10'?"),
        (
            "model.name",
            "digits_cn",
            "Expected one of digits_cnn, cnn_small, airbench, resnet18_cifar, mlp, or a classifier of torchvision "
            "(resnet18, vit_b_16, ...) or timm/ and the name of a net of the package timm, or null. Did you mean "
            "'digits_cnn'?",
        ),
        ("forget.strategy", "subclas", "Did you mean 'subclass'?"),
        ("forget.strategy", "Random", "Did you mean 'random'?"),
        ("training.schedule", "onecycle", "Did you mean 'one_cycle'?"),
        ("device", "gpu0", "Expected one of auto, cpu, cuda."),
    ],
)
def test_unknown_name_is_answered_with_the_known_ones(raw, key, value, suggestion):
    problem = only_problem(changed(raw, key, value))
    assert f'{key}: "{value}" is not allowed.' in problem
    assert suggestion in problem


def test_unknown_key_is_answered_with_the_nearest(raw):
    assert "copys: unknown key. Did you mean 'copies'?" in only_problem({**raw, "copys": 64})


def test_unknown_nested_key_is_answered_with_the_nearest(raw):
    problem = only_problem(changed(raw, "training.momentun", 0.9))
    assert "training.momentun: unknown key. Did you mean 'momentum'? Keys of training: optimizer, lr" in problem


def test_key_of_another_section_is_answered_with_its_place(raw):
    assert "lr: unknown key. Did you mean 'training.lr'?" in only_problem({**raw, "lr": 0.1})


def test_missing_key_is_named_with_what_is_expected(raw):
    del raw["training"]["epochs"]
    assert "training.epochs: missing. Expected an integer above 0, or training.steps in its" in only_problem(raw)
    del raw["training"]["lr"]
    assert "training.lr: missing. Expected a number above 0." in message(raw)
    del raw["training"]["batch_size"]
    assert "training.batch_size: missing. Expected an integer above 0." in message(raw)


def test_steps_stand_in_the_place_of_epochs(raw):
    assert "training.steps: 50 and training.epochs: 20 are both given" in only_problem(
        changed(raw, "training.steps", 50)
    )
    assert (
        config.parse(changed(changed(raw, "training.steps", 50), "training.epochs", None), KNOWN).training.steps == 50
    )


OWN_NET = {"model": {"name": None, "width": 32, "file": "net.py"}}
OWN_TRAINING = {"training": {"file": "train.py", "batch_size": 8}}


def test_a_training_of_the_users_may_read_what_it_likes_of_the_recipe(raw):
    more = {"optimizer": "adam", "momentum": 0.5, "schedule": "cosine", "warmup": 0.1}
    assert config.parse({**raw, "training": {**OWN_TRAINING["training"], **more}}, KNOWN).training.warmup == 0.1


def test_a_net_and_a_training_of_the_users_need_no_more_than_their_files(raw):
    parsed = config.parse({**raw, "model": {"file": "net.py"}, **OWN_TRAINING}, KNOWN)
    assert (parsed.model.name, parsed.model.function, parsed.model.options) == (None, "build", {})
    assert (parsed.training.function, parsed.training.lr, parsed.training.epochs) == ("train", None, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": {"name": None}}, "model: names no model. Set model.name (digits_cnn, cnn_small"),
        ({"model": {"file": "net.py"}}, "model.name: digits_cnn and model.file: net.py are both given"),
        ({"model": {"file": "net.txt", "name": None}}, 'model.file: "net.txt" is not allowed.'),
        ({"model": {"function": "make"}}, "model.function: is only used with model.file, which is not given"),
        ({"model": {"options": {"depth": 3}}}, "model.options: is only used with model.file"),
        ({"training": {"options": {"depth": 3}}}, "training.options: is only used with training.file"),
        ({"training": {"file": "a.py", "engine": "stacked"}}, 'training.engine: "stacked" has no effect, since a.py'),
        ({"training": {"file": "a.py", "class_weights": True}}, "training.class_weights: true has no effect"),
        ({"training": {"file": "a.py", "precision": "bf16"}}, 'training.precision: "bf16" has no effect, since a.py'),
        ({"training": {"optimizer": "adam", "momentum": 0.5}}, "training.momentum: 0.5 is only for the optimizer sgd"),
        ({"training": {"schedule": "cosine", "warmup": 0.5}}, "training.warmup: 0.5 is only for the schedule one_cyc"),
        ({"model": {"name": None, "file": "a.py", "width": 8}}, "only for the model digits_cnn, and model.file builds"),
        ({"training": {"engine": "stacked", "compile": True}}, "training.compile: is for training.engine loop"),
        ({"model": {"name": "mlp"}, "training": {"crop": 4}}, "training.crop, training.flip: are for nets that take"),
        (
            {"original": "weights.pt"},
            'original: "weights.pt" is not allowed. Expected a path that ends in .safetensors (written by safetensors',
        ),
        ({"training": {"file": "mine"}}, 'training.file: "mine" is not allowed. Expected the path of a Python file'),
        (
            {"original": "w.safetensors", "originals": {"count": 2}},
            "originals: {count: 2} does not go with original: w.safetensors",
        ),
    ],
    ids=str,
)
def test_keys_of_nets_training_and_originals_fit_together(raw, changes, expected):
    assert expected in only_problem(config.merge(raw, changes))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({**OWN_NET}, "model.file: there is no file net.py"),
        ({**OWN_TRAINING}, "training.file: there is no file train.py"),
        ({"original": "mine.safetensors"}, "original: there is no file mine.safetensors"),
    ],
)
def test_a_file_of_the_users_must_be_there(tmp_path, raw, changes, key):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.merge({**raw, "methods": {}, "skip": []}, changes)))
    with pytest.raises(config.ConfigError, match=re.escape(key)):
        config.load([tmp_path / "config.yaml"], {}, {}, "none")


@pytest.mark.parametrize("true", [True, "true", "True", "TRUE"])
@pytest.mark.parametrize("false", [False, "false", "False"])
def test_text_for_a_truth_value_means_to_every_rule_what_the_value_means(raw, tmp_path, true, false):
    compiled = changed(raw, "training", {"engine": "stacked", "compile": true})
    assert "training.compile: is for training.engine loop" in only_problem(compiled)
    assert (
        config.parse(changed(raw, "training", {"engine": "stacked", "compile": false}), KNOWN).training.compile is False
    )
    mlp = {**raw, "model": {"name": "mlp"}}
    assert "training.crop, training.flip: are for nets" in only_problem(changed(mlp, "training.flip", true))
    assert config.parse(changed(mlp, "training.flip", false), KNOWN).training.flip is False
    trained = {**raw, **OWN_TRAINING}
    assert "training.tf32: true has no effect" in only_problem(changed(trained, "training.tf32", true))
    assert config.parse(changed(trained, "training.tf32", false), KNOWN).training.tf32 is False
    # As Snakemake hands over what stands within a mapping on the command line.
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(raw))
    files = {name: tmp_path / f"{name}.py" for name in KNOWN}
    with pytest.raises(config.ConfigError, match=r"training\.compile: is for training\.engine loop"):
        config.load([file], {"training": {"engine": "stacked", "compile": str(true)}}, files, file)


def test_a_number_as_text_is_a_number_to_every_rule(raw):
    adam = changed(raw, "training", {"optimizer": "adam", "momentum": "9e-1"})
    assert config.parse(adam, KNOWN).training.momentum == 0.9
    assert "training.momentum: 0.5 is only for" in only_problem(changed(adam, "training.momentum", "0.5"))


def test_one_wrong_field_hides_no_other_problem(raw):
    text = message(changed(raw, "training", {"lr": "fast", "engine": "stacked", "compile": "True"}))
    assert "training.lr: " in text
    assert "training.compile: is for" in text


def test_key_which_is_not_text_is_refused(raw):
    assert "top level: true cannot be a key. Expected text. Put it in quotes." in only_problem({**raw, True: 1})


def test_copies_must_be_a_multiple_of_shard_size(raw):
    problem = only_problem({**raw, "copies": 65, "shard_size": 32})
    assert "copies: 65 is not a multiple of shard_size (32). Set copies to 64 or 96" in problem


@pytest.mark.parametrize("value", [0, 3.5, "all"])
def test_shard_size_is_a_number_or_open(raw, value):
    assert config.parse({**raw, "shard_size": "auto"}, KNOWN).shard_size is None
    problem = only_problem({**raw, "shard_size": value})
    assert "shard_size: " in problem
    assert "Expected an integer of at least 1 or auto." in problem


def test_half_splits_need_an_even_number_of_copies(raw):
    odd = {**raw, "copies": 5, "shard_size": 5}
    assert "copies: 5 is odd" in only_problem(odd)
    assert config.parse({**odd, "ceiling": "retrain"}, KNOWN).copies == 5


@pytest.mark.parametrize(
    ("value", "number", "written"),
    [(1, 1, 1), ({}, 1, 1), ({"count": 1}, 1, 1), ({"count": 3}, 3, {"count": 3}), ("per_copy", 64, "per_copy")],
    ids=str,
)
def test_originals_are_written_in_one_of_three_forms(raw, value, number, written):
    parsed = config.parse({**raw, "originals": value}, KNOWN)
    assert parsed.originals.number(parsed.copies) == number
    whole = parsed.model_dump(mode="json")
    assert whole["originals"] == written
    assert config.parse(whole, KNOWN) == parsed


def test_a_number_of_originals_by_itself_is_refused_with_what_to_write(raw):
    problem = only_problem({**raw, "originals": 3})
    assert problem.count("originals: 3 ") == 1
    for part in ("originals: {count: 3}", "originals: per_copy", "--config 'originals={count: 3}'"):
        assert part in problem


@pytest.mark.parametrize("value", [0, -1, True, None, 1.0, "3", "mixture", [1]], ids=str)
def test_other_forms_of_originals_are_refused_with_those_there_are(raw, value):
    assert "Expected 1, {count: K} with an integer of at least 1, or per_copy." in only_problem(
        {**raw, "originals": value}
    )


def test_a_wrong_count_of_originals_is_named_by_its_key(raw):
    assert "originals.count: 0 is not allowed. Expected an integer of at least 1." in only_problem(
        {**raw, "originals": {"count": 0}}
    )
    assert "are not allowed" not in only_problem({**raw, "shard_size": 32, "originals": {"count": 10_000}})
    assert "too many to be planned" in only_problem({**raw, "shard_size": 32, "originals": {"count": 10_000}})


@pytest.mark.parametrize("count", [500, 501])
def test_forget_set_must_leave_something_to_retain(raw, count):
    problem = only_problem(changed(raw, "forget.count", count))
    assert f"forget.count: {count} is a forget set as large as the training set" in problem
    assert "Expected at most 499." in problem


def test_forget_set_may_leave_a_single_example(raw):
    assert config.parse(changed(raw, "forget.count", 499), KNOWN).forget.count == 499


@pytest.mark.parametrize(
    "forget",
    [
        {"strategy": "random"},
        {"strategy": "random", "count": 7, "fraction": 0.1},
        {"strategy": "random", "count": 7, "label": 1},
        {"strategy": "class"},
        {"strategy": "class", "label": 1, "count": 7},
        {"strategy": "class", "label": 1, "fraction": 0.1},
        {"strategy": "class", "label": 1, "stratified": True},
        {"strategy": "subclass", "labels": [1]},
        {"strategy": "subclass", "count": 7},
        {"strategy": "groups"},
        {"strategy": "groups", "count": 7, "groups": [1]},
        {"strategy": "indices"},
        {"strategy": "indices", "path": "a.txt", "count": 7},
        {"strategy": "hardest", "difficulty_models": 4},
        {"strategy": "easiest", "count": 7, "order": "sorted"},
    ],
    ids=str,
)
def test_forget_keys_must_fit_the_strategy(raw, forget):
    assert f"forget: strategy {forget['strategy']} needs" in only_problem({**raw, "forget": forget})


def test_keys_that_do_not_fit_a_strategy_are_answered_with_those_that_do(raw):
    assert (
        "forget: strategy subclass needs labels and exactly one of count, fraction, and nothing else; given: count: 7, "
        "stratified: true."
    ) in only_problem({**raw, "forget": {"strategy": "subclass", "count": 7, "stratified": True}})
    assert "needs exactly one of count, fraction, and may have stratified, and nothing else; given: none" in (
        only_problem({**raw, "forget": {"strategy": "random"}})
    )


@pytest.mark.parametrize(
    "forget",
    [
        {"strategy": "random", "fraction": 0.1, "stratified": True},
        {"strategy": "class", "label": "cat"},
        {"strategy": "subclass", "labels": ["cat", 3], "count": 7},
        {"strategy": "groups", "count": 2, "order": "sorted"},
        {"strategy": "groups", "groups": [4, -1]},
        {"strategy": "indices", "path": "a.csv"},
        {"strategy": "hardest", "count": 7, "difficulty_models": 4},
        {"strategy": "easiest", "fraction": 0.5},
    ],
    ids=str,
)
def test_every_strategy_takes_its_own_keys(raw, forget):
    parsed = config.parse({**raw, "forget": forget}, KNOWN).forget.model_dump()
    assert {name: parsed[name] for name in forget} == forget


@pytest.mark.parametrize(
    ("forget", "said"),
    [
        ({"strategy": "class", "label": True}, "forget.label: true is not allowed. Expected an integer or text"),
        ({"strategy": "class", "label": 1.5}, "forget.label: 1.5 is not allowed. Expected an integer or text"),
        ({"strategy": "subclass", "labels": [1, None], "count": 7}, "forget.labels[1]: null is not allowed"),
        ({"strategy": "groups", "groups": [1], "order": "sorted"}, "forget.order: sorted is for count or fraction"),
        ({"strategy": "hardest", "count": 7, "difficulty_models": 5}, "forget.difficulty_models: 5 is odd"),
        ({"strategy": "hardest", "count": 500}, "forget.count: 500 is a forget set as large as the training set"),
        (
            {"strategy": "indices", "path": "a.parquet"},
            'forget.path: "a.parquet" is not allowed. Expected a file that ends in .npy, .npz, .csv, .txt',
        ),
    ],
    ids=str,
)
def test_values_that_no_strategy_takes_are_named(raw, forget, said):
    assert said in only_problem({**raw, "forget": forget})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"training": {"epochs": "3", "lr": "0.05", "flip": "true"}}, {"epochs": 3, "lr": 0.05, "flip": True}),
        ({"training": {"epochs": "null", "steps": "7"}}, {"epochs": None, "steps": 7}),
        ({"training": {"lr": "1e-2", "label_smoothing": "0"}}, {"lr": 0.01, "label_smoothing": 0}),
    ],
)
def test_text_of_the_command_line_is_read_as_yaml_would(raw, tmp_path, given, expected):
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(raw))
    files = {name: tmp_path / f"{name}.py" for name in KNOWN}
    training = config.load([file], given, files, file).training
    assert {name: getattr(training, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("forget.label", "3", 3),
        ("forget.label", "007", "007"),
        ("forget.label", "no", "no"),
        ("forget.label", "1_000", "1_000"),
        ("forget.label", "12:30", "12:30"),
        ("forget.label", "#1", "#1"),
        ("forget.label", "null", None),
        ("forget.labels", ["1", "2024-13-45", "-2"], [1, "2024-13-45", -2]),
        ("data.path", "123", "123"),
        ("data.train_size", "", None),
        ("model.hidden", ["64", "32"], [64, 32]),
        ("original", "null", None),
        ("results", "null", "null"),
        ("model.options", {"id": "007", "width": "16"}, {"id": "007", "width": 16}),
        ("training.options", {"frozen": "false", "clip": ["0.5", "1e-3"]}, {"frozen": False, "clip": [0.5, "1e-3"]}),
        ("methods", {"mine": "null"}, {"mine": None}),
        (
            "methods",
            {"mine": {"prefix": "", "color": "#ff0000", "epochs": "3", "lr": "-1.0e-3", "mode": "no", "top": "null"}},
            {"mine": {"prefix": "", "color": "#ff0000", "epochs": 3, "lr": -0.001, "mode": "no", "top": None}},
        ),
    ],
    ids=str,
)
def test_text_of_the_command_line_is_a_number_only_where_it_looks_like_one_and_one_may_stand(key, text, value):
    schema = config.json_schema()
    given = changed({}, key, text)
    read = config.from_command_line(given, {}, schema, schema)
    assert read == changed({}, key, value)
    # What a file says stays.
    assert config.from_command_line(given, given, schema, schema) == given


@pytest.mark.parametrize("key", ["model.options", "training.options", "methods.finetune"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{lr: .inf}", ".lr: inf is not allowed. Expected a finite number, or null for none."),
        ("{lr: [1, .nan]}", ".lr[1]: nan is not allowed."),
        ("{by: {1: 2}}", ".by: 1 cannot be a key. Expected text. Put it in quotes."),
        ("{1: 2}", ": 1 cannot be a key."),
        ("{since: 2020-01-01}", '.since: "2020-01-01" is date. If text is meant, put it in quotes.'),
        ("{salt: !!binary aGk=}", ".salt: \"b'hi'\" is bytes."),
    ],
)
def test_a_hyper_parameter_that_no_key_can_hold_is_refused(raw, key, value, problem):
    section, _, name = key.partition(".")
    given = {**raw, section: {**(raw[section] or {}), name: yaml.safe_load(value)}}
    more = {"model": OWN_NET["model"], "training": OWN_TRAINING["training"]}.get(section, {})
    given[section].update(more)
    assert f"{key}{problem}" in message(given)


def test_quoted_digits_in_a_file_stay_text(raw, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(changed(raw, "training.epochs", "3")))
    given = json.loads(file.read_text())
    with pytest.raises(config.ConfigError, match=r'training\.epochs: "3" is not allowed'):
        config.load([file], given, {name: tmp_path / f"{name}.py" for name in KNOWN}, file)


def test_a_share_out_of_bounds_is_told_its_bounds(raw):
    found = only_problem({**raw, "forget": {"strategy": "random", "fraction": 1}})
    assert "forget.fraction: 1 is not allowed. Expected a number above 0 and below 1, or null." in found


def test_a_file_of_indices_must_be_there(raw, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({**raw, "forget": {"strategy": "indices", "path": str(tmp_path / "absent.txt")}}))
    files = {name: tmp_path / f"{name}.py" for name in KNOWN}
    with pytest.raises(config.ConfigError, match=f"forget.path: there is no file {tmp_path / 'absent.txt'}"):
        config.load([file], {}, files, file)


def test_npz_needs_a_path_and_digits_takes_none(raw):
    assert "data.path: missing" in only_problem(changed(raw, "data.source", "npz"))
    assert 'data.path: "a.npz" is not used by data.source digits' in only_problem(changed(raw, "data.path", "a.npz"))
    assert config.parse(changed(raw, "data", {"source": "npz", "path": "a.npz"}), KNOWN).data.path == "a.npz"


@pytest.mark.parametrize(("source", "kind"), [("image_folder", "folder"), ("casia_surf", "folder"), ("npz", "file")])
def test_the_users_own_data_must_be_named_and_there(raw, tmp_path, source, kind):
    own = {**raw, "data": {"source": source}}
    assert f"data.path: missing; data.source {source} needs the {kind} to read" in only_problem(own)
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({**raw, "data": {"source": source, "path": str(tmp_path / "absent")}}))
    files = {name: tmp_path / f"{name}.py" for name in KNOWN}
    with pytest.raises(config.ConfigError, match=f"there is no {kind} {tmp_path / 'absent'}"):
        config.load([file], {}, files, file)


def test_downloaded_data_need_no_path_and_may_have_one(raw):
    for data in ({"source": "cifar10"}, {"source": "cifar10", "path": "elsewhere"}):
        assert config.parse({**raw, "data": data}, KNOWN).data.path == data.get("path")


def test_only_image_files_can_be_brought_to_a_size(raw):
    assert "data.image_size: 32 is only for the sources" in only_problem(changed(raw, "data.image_size", 32))
    folder = {"source": "image_folder", "path": "images", "image_size": 32}
    assert config.parse({**raw, "data": folder}, KNOWN).data.image_size == 32


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"normalize": "given"}, "data.normalize: given needs data.mean and data.std"),
        ({"normalize": "given", "mean": [0.5]}, "data.normalize: given needs data.mean and data.std"),
        ({"mean": [0.5], "std": [0.2]}, "data.mean: is not used with data.normalize pool"),
        ({"normalize": "none", "std": [0.2]}, "data.std: is not used with data.normalize none"),
        ({"normalize": "given", "mean": [0.5], "std": [0.2, 0.2]}, "data.mean: has 1 values and data.std has 2"),
        ({"normalize": "given", "mean": [0.5], "std": [0]}, "data.std[0]: 0 is not allowed. Expected a number above 0"),
    ],
)
def test_what_a_net_sees_is_said_once(raw, given, said):
    assert said in only_problem(changed(raw, "data", given))


def test_casia_surf_has_validation_examples_of_its_own(raw):
    own = {"source": "casia_surf", "path": "faces"}
    assert config.parse({**raw, "data": own}, KNOWN).data.validation_size == 0
    assert "data.validation_size: 5 is not used" in only_problem({**raw, "data": {**own, "validation_size": 5}})


def test_model_refuses_the_options_of_another(raw):
    assert "model.hidden: [8] is only for the model mlp" in only_problem(changed(raw, "model.hidden", [8]))
    mlp = {**raw, "model": {"name": "mlp", "width": 8}}
    assert "model.width: 8 is only for the model digits_cnn" in only_problem(mlp)


def test_unknown_method_in_methods(raw):
    problem = only_problem(changed(raw, "methods.finetun", {"lr": 1}))
    assert "methods.finetun: Unknown method 'finetun'. Known: finetune, identity, reset_head, retrain." in problem
    assert "Did you mean 'finetune'? To add it, create methods/finetun.py" in problem


def test_unknown_method_in_skip(raw):
    assert "skip: Unknown method 'identiti'." in only_problem({**raw, "skip": ["identiti"]})


def test_method_name_must_be_fit_for_a_path(raw):
    problem = only_problem(changed(raw, "methods", {"../x": None}))
    assert 'methods: "../x" cannot be a key. Expected only letters, digits and underscores.' in problem


def test_method_without_hyperparameters_may_be_left_empty(raw):
    assert config.parse(changed(raw, "methods.identity", None), KNOWN).methods["identity"] == {}


def test_ceiling_of_retrained_models_needs_the_method(raw):
    retrain = {**raw, "ceiling": "retrain"}
    assert config.parse(retrain, KNOWN).ceiling == "retrain"
    assert "methods/retrain.py, which is missing" in only_problem(retrain, ("finetune", "reset_head"))


def test_numbers_with_an_exponent_are_numbers(raw, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("training: {lr: 1e-3}\ndelta: 1e-6\n")
    parsed = config.parse(config.merge(raw, config.read_yaml(file)), KNOWN)
    assert (parsed.training.lr, parsed.delta) == (0.001, 1e-6)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"file": "finetun"}, '.file: "finetun" is not allowed. Expected the name of a file in methods/ (finetune, '),
        ({"file": "finetun"}, "Did you mean 'finetune'?"),
        ({"file": 3}, ".file: 3 is not allowed."),
        ({"file": "finetune", "function": "my function"}, '.function: "my function" is not allowed. Expected the name'),
        ({"file": "finetune", "function": 1}, ".function: 1 is not allowed."),
        ({"dump": "outputs.csv"}, '.dump: "outputs.csv" is not allowed. Expected the path of a npz file'),
        ({"dump": "outputs.npz", "lr": 1}, ".dump: its models were made elsewhere, so lr would never be run."),
        ({"file": "finetune", "batches": "dicts"}, '.batches: "dicts" is not allowed. Expected one of tuple, triple, '),
    ],
)
def test_what_says_where_a_method_is_must_have_its_form(raw, entry, said):
    problem = only_problem(changed(raw, "methods.other", entry))
    assert problem.startswith("  - methods.other.")
    assert said in problem


@pytest.mark.parametrize("file", ["finetune", "elsewhere/mine.py", "/far/away/mine.py"])
def test_an_entry_that_names_a_file_is_a_method_like_any_other(raw, file):
    parsed = config.parse({**changed(raw, "methods.low", {"file": file, "lr": 0.1}), "skip": ["low"]}, KNOWN)
    assert parsed.methods["low"] == {"file": file, "lr": 0.1}


def test_an_entry_without_a_file_of_its_own_must_name_one(raw):
    assert "methods.low: Unknown method 'low'." in only_problem(changed(raw, "methods.low", {"lr": 0.1}))


def test_a_key_of_an_earlier_version_is_answered_with_what_it_is_called_now(raw):
    problem = only_problem({**raw, "efficiency_limit": 0.3})
    assert problem == "  - efficiency_limit: is now efficiency.limit. Write efficiency: {limit: ...} in its place."


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (-1.5, "-1.5"), ("soon", '"soon"')])
def test_a_time_limit_must_be_a_time(raw, value, shown):
    problem = only_problem(changed(raw, "max_seconds_per_copy", value))
    assert problem == f"  - max_seconds_per_copy: {shown} is not allowed. Expected a number above 0, or null."


def test_integers_are_accepted_for_floats(raw):
    lr = config.parse(changed(raw, "training.lr", 1), KNOWN).training.lr
    assert isinstance(lr, float)
    assert lr == 1.0


def test_every_problem_is_reported_at_once(raw):
    raw |= {"copies": 65, "skip": ["typo"], "probe": 3}
    raw["training"] |= {"lr": -1, "optimizer": "sdg"}
    raw["forget"]["count"] = 500
    text = message(raw)
    assert text.startswith("config/config.yaml has 6 problems:")
    for key in ("copies", "skip", "probe", "training.lr", "training.optimizer", "forget.count"):
        assert f"  - {key}: " in text


def test_message_names_its_source(raw):
    with pytest.raises(config.ConfigError, match=r"^config/cifar10\.yaml has 1 problem:"):
        config.parse({**raw, "copies": 0}, KNOWN, source="config/cifar10.yaml")


def yaml_message(tmp_path: Path, text: str) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(config.ConfigError) as caught:
        config.read_yaml(file)
    return str(caught.value).replace(f"{file}", "config.yaml")


def test_yaml_slip_is_shown_with_its_place(tmp_path):
    text = yaml_message(tmp_path, "copies: 64\nresults: a: b\n")
    where, line, pointer, hint = text.splitlines()
    assert where.startswith("config.yaml, line 2, column 11: ")
    assert line == "    results: a: b"
    assert pointer.index("^") - 4 == 10
    assert hint.startswith("Hint: check the indentation")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("data:\n\tsource: digits\n", "YAML refuses tabs"),
        ("skip: [a, b\ncopies: 64\n", "bracket is opened and not closed"),
        ("results: 'a\n", "quote"),
        ("results: !python/name:os.system x\n", "tags that begin with ! are not supported"),
        ("a: 1\nb 2\nc: 3\n", "a key without its colon"),
    ],
)
def test_yaml_slip_comes_with_a_hint(tmp_path, text, hint):
    message = yaml_message(tmp_path, text)
    assert re.match(r"config\.yaml, line \d, column \d+: ", message)
    assert hint in message.splitlines()[-1]


def test_duplicate_key_is_refused_with_both_lines(tmp_path):
    text = yaml_message(tmp_path, "training:\n  lr: 1\n  epochs: 2\n  lr: 3\n")
    assert text.startswith("config.yaml, line 4, column 3: the key 'lr' is given twice, first in line 2\n")


def test_missing_empty_and_unfit_files_have_their_own_messages(tmp_path):
    with pytest.raises(config.ConfigError, match="no such file"):
        config.read_yaml(tmp_path / "absent.yaml")
    assert "is empty" in yaml_message(tmp_path, "# nothing\n")
    assert "expected lines of the form key: value, found [1]" in yaml_message(tmp_path, "- 1\n")
    assert "control character" in yaml_message(tmp_path, "a: \x01\n")


def test_merge_overrides_key_by_key_and_leaves_its_arguments_alone():
    base = {"a": {"x": 1, "y": [1]}, "b": 2}
    override = {"a": {"y": [2]}, "c": {"z": 3}}
    before = copy.deepcopy((base, override))
    merged = config.merge(base, override)
    assert merged == {"a": {"x": 1, "y": [2]}, "b": 2, "c": {"z": 3}}
    merged["a"]["y"].append(0)
    merged["c"]["z"] = 0
    assert (base, override) == before


def test_unknown_method_message_says_how_to_add_it():
    assert config.unknown_method_message("typo", ["b", "a"]) == (
        "Unknown method 'typo'. Known: a, b. To add it, create methods/typo.py"
    )


def test_schema_file_is_in_sync():
    file = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert file.read_text(encoding="utf-8") == (json.dumps(config.json_schema(), indent=2, sort_keys=True) + "\n"), (
        "regenerate it: python -m unlearning_metric.config > workflow/schemas/config.schema.json"
    )


@pytest.mark.parametrize(
    "section",
    [config.Config, config.Data, config.Efficiency, config.Forget, config.Model, config.Training],
    ids=lambda c: c.__name__,
)
def test_every_field_is_described(section):
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_readme_explains_exactly_the_fields():
    readme = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z0-9_.]+)` \|", readme, flags=re.MULTILINE) == config.field_keys()


def test_importing_config_stays_light():
    # NumPy is in Snakemake's process already, which imports pandas.
    program = (
        "import sys, unlearning_metric.config;"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'scipy', 'pandas', 'PIL'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(("given", "read"), [("true", True), ("False", False), (True, True)])
def test_a_truth_value_may_come_as_text_from_the_command_line(raw, given, read):
    assert config.parse(changed(raw, "keep_checkpoints", given), KNOWN).keep_checkpoints is read


def test_what_is_neither_true_nor_false_is_said(raw):
    assert "keep_checkpoints: " in (problem := only_problem(changed(raw, "keep_checkpoints", "maybe")))
    assert "true or false" in problem
