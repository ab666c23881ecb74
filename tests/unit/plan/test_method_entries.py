"""Which methods a configuration has, and what must fit their files before any job starts."""

import pytest

from unlearning_metric import config
from unlearning_metric.plan.methods import MethodEntry, find_methods, method_entries

RAW = {
    "data": {"source": "digits"},
    "forget": {"strategy": "class", "label": 3},
    "model": {"name": "mlp"},
    "training": {"lr": 1, "epochs": 2, "batch_size": 8},
}


@pytest.fixture
def files(tmp_path):
    texts = {
        "finetune": "def unlearn(model, retain_loader, lr=0.002, epochs=1): ...\n",
        "retrain": "def unlearn(train_from_scratch, seed): ...\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return {name: tmp_path / f"{name}.py" for name in texts}


def entries(files, **methods):
    return method_entries(config.parse({**RAW, "methods": methods}, files), files)


def problems(files, **methods) -> str:
    with pytest.raises(config.ConfigError) as caught:
        entries(files, **methods)
    return str(caught.value)


def test_every_file_is_a_method_under_its_own_name(files):
    found = entries(files, finetune={"lr": 0.5})
    assert list(found) == ["finetune", "retrain"]
    assert found["finetune"] == MethodEntry("finetune", files["finetune"], options={"lr": 0.5})
    assert (found["retrain"].function, found["retrain"].batches, found["retrain"].options) == ("unlearn", "tuple", {})


def test_several_entries_may_share_a_file(files):
    found = entries(files, ft_low={"file": "finetune", "lr": 0.0005}, ft_high={"file": "finetune", "lr": 0.5})
    assert list(found) == ["finetune", "ft_high", "ft_low", "retrain"]
    assert found["ft_low"].file == found["ft_high"].file == files["finetune"]
    assert (found["ft_low"].options, found["ft_high"].options) == ({"lr": 0.0005}, {"lr": 0.5})


@pytest.mark.parametrize("absolute", [True, False])
def test_a_file_may_lie_anywhere(files, tmp_path, monkeypatch, absolute):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs.py").write_text("def unlearning(net, retain_loader, forget_loader, val_loader): ...\n")
    monkeypatch.chdir(tmp_path)
    path = str(elsewhere / "theirs.py") if absolute else "elsewhere/theirs.py"
    found = entries(files, theirs={"file": path, "function": "unlearning", "batches": "kaggle"})["theirs"]
    assert str(found.file) == path
    assert (found.function, found.batches, found.options) == ("unlearning", "kaggle", {})
    assert found.arguments == {"net", "retain_loader", "forget_loader", "val_loader"}


def test_a_file_that_is_not_there_is_named(files):
    assert "methods.theirs.file: there is no file nowhere/mine.py (looked in " in problems(
        files, theirs={"file": "nowhere/mine.py"}
    )


def test_text_has_the_type_of_the_default_before_it_enters_a_key(files):
    assert entries(files, finetune={"lr": "5e-4", "epochs": "3"})["finetune"].options == {"lr": 0.0005, "epochs": 3}


def test_every_option_that_does_not_fit_is_listed(files):
    text = problems(files, finetune={"lr": "fast", "epoch": 3}, retrain={"lr": 1})
    assert text.splitlines()[0] == "the methods have 3 problems:"
    assert '  - methods.finetune.lr: "fast" is not allowed. Expected a number, like the default 0.002' in text
    assert "  - methods.finetune.epoch: the method takes no such hyper-parameter. Did you mean 'epochs'?" in text
    assert "  - methods.retrain.lr: the method takes no such hyper-parameter. It takes: none." in text


@pytest.mark.parametrize("text", ["def unlearn(:", "unlearn = make()", "@wrapped\ndef unlearn(model): ..."])
def test_options_of_a_function_that_cannot_be_read_are_left_to_the_job(files, text):
    files["finetune"].write_text(text)
    assert entries(files, finetune={"anything": "fast"})["finetune"].options == {"anything": "fast"}


def test_a_method_that_asks_for_an_oracle_needs_the_models_of_retrain(files, tmp_path):
    files["oracle"] = tmp_path / "oracle.py"
    files["oracle"].write_text("def unlearn(oracle_model):\n    return oracle_model\n")
    found = entries(files)
    assert [name for name, entry in found.items() if entry.needs_oracle] == ["oracle"]
    del files["retrain"]
    assert "method oracle asks for oracle_model, a model of the method retrain, and methods/retrain.py is" in problems(
        files
    )


def test_retrain_cannot_ask_for_its_own_models(files):
    files["retrain"].write_text("def unlearn(oracle_model): ...\n")
    assert "method retrain asks for oracle_model, which is one of its own models" in problems(files)


def test_a_dump_is_a_method_with_nothing_to_run(files, tmp_path):
    dump = tmp_path / "theirs.npz"
    assert f"methods.theirs.dump: there is no file {dump}" in problems(files, theirs={"dump": str(dump)})
    dump.touch()
    found = entries(files, theirs={"dump": str(dump)})["theirs"]
    assert found == MethodEntry("theirs", dump, is_dump=True)
    assert not found.needs_oracle


def test_a_dump_cannot_have_the_name_of_a_method_file(files, tmp_path):
    assert "so methods/finetune.py would never be run" in problems(files, finetune={"dump": "a.npz"})


def test_files_of_editors_and_systems_beside_methods_are_none(tmp_path):
    (tmp_path / "mine.py").write_text("def unlearn(model): ...\n")
    (tmp_path / ".#mine.py").symlink_to("user@host.1234:5678")
    (tmp_path / "._mine.py").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "mine.py~").write_text("def unlearn(")
    (tmp_path / "_helpers.py").write_text("")
    assert list(find_methods(tmp_path)) == ["mine"]


@pytest.mark.parametrize(
    ("signature", "entry", "unfilled"),
    [
        ("model, zebra, lion", {}, ("zebra", "lion")),
        ("model, zebra=1", {}, ()),
        ("net, retain_dl, teacher, criterion", {}, ()),
        ("model, zebra", {"zebra": 3}, ()),
        ("model, zebra", {"arguments": {"zebra": "retain_loader"}}, ()),
    ],
    ids=str,
)
def test_parameters_that_nobody_fills_are_known_before_any_job(files, tmp_path, signature, entry, unfilled):
    (tmp_path / "mine.py").write_text(f"def unlearn({signature}): ...\n")
    assert entries({**files, "mine": tmp_path / "mine.py"}, mine=entry)["mine"].unfilled == unfilled


def test_where_the_source_does_not_tell_the_parameters_nothing_is_said_of_them(files, tmp_path):
    (tmp_path / "mine.py").write_text("import wrap\n\n\n@wrap.it\ndef unlearn(model, zebra): ...\n")
    assert entries({**files, "mine": tmp_path / "mine.py"})["mine"].unfilled == ()


def test_what_names_of_a_file_get_is_checked_and_counts_as_asked_for(files):
    with pytest.raises(config.ConfigError, match=r"methods\.finetune\.globals: expected a mapping"):
        entries(files, finetune={"globals": ["device"]})
    with pytest.raises(config.ConfigError, match=r"globals\.loader: 'retian_loader' is no argument.*'retain_loader'"):
        entries(files, finetune={"globals": {"loader": "retian_loader"}})
    found = entries(files, finetune={"globals": {"teacher": "oracle_model"}})["finetune"]
    assert found.needs_oracle
    assert found.interface.settings() == {"globals": {"teacher": "oracle_model"}}
