"""Paths in the configuration, and YAML that does not mean what it looks like."""

import json
import unicodedata
from pathlib import Path

import pytest

from unlearning_metric import config

RAW = {
    "copies": 8,
    "shard_size": 4,
    "data": {"source": "digits"},
    "forget": {"strategy": "random", "count": 5},
    "model": {"name": "mlp"},
    "training": {"lr": 0.1, "epochs": 1, "batch_size": 8},
}


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A working folder that is a checkout, a home folder and a variable."""
    here = tmp_path / "checkout"
    for folder in ("methods", "config", ".git"):
        (here / folder).mkdir(parents=True)
    (here / "Snakefile").touch()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.delenv("NOWHERE", raising=False)
    return here


def loaded(changes: dict, methods: dict | None = None) -> config.Config:
    Path("c.yaml").write_text(json.dumps(config.merge(RAW, changes)))
    return config.load(["c.yaml"], {}, methods or {}, "c.yaml")


def refused(changes: dict) -> str:
    with pytest.raises(config.ConfigError) as caught:
        loaded(changes)
    return str(caught.value)


def read(text: str) -> dict:
    Path("c.yaml").write_text(text)
    return config.read_yaml("c.yaml")


def unread(text: str) -> str:
    with pytest.raises(config.ConfigError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(("written", "folder"), [("~", "home"), ("$SCRATCH", "scratch"), ("${SCRATCH}", "scratch")])
def test_home_folder_and_variables_stand_for_what_they_do_in_a_shell_in_every_path(tmp_path, written, folder):
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    for name in ("net.py", "weights.safetensors", "list.txt", "data.npz", "outputs.npz"):
        (place / name).touch()
    found = loaded(
        {
            "results": f"{written}/out",
            "data": {"source": "npz", "path": f"{written}/data.npz"},
            "forget": {"strategy": "indices", "count": None, "path": f"{written}/list.txt"},
            "model": {"name": None, "file": f"{written}/net.py"},
            "training": {"file": f"{written}/net.py"},
            "original": f"{written}/weights.safetensors",
            "methods": {"a": {"file": f"{written}/net.py"}, "b": {"dump": f"{written}/outputs.npz"}},
        }
    )
    assert found.results == f"{place}/out"
    assert found.data.path == f"{place}/data.npz"
    assert found.forget.path == f"{place}/list.txt"
    assert (found.model.file, found.training.file) == (f"{place}/net.py", f"{place}/net.py")
    assert found.original == f"{place}/weights.safetensors"
    assert found.methods == {"a": {"file": f"{place}/net.py"}, "b": {"dump": f"{place}/outputs.npz"}}
    assert not Path(written).exists()


@pytest.mark.parametrize("name", ["a~b", "cost$", "a$5", "./~x", "backup~", "../out", "methods/out", "/far/out"])
def test_other_names_are_taken_as_they_are_written(name):
    assert loaded({"results": name}).results == name


def test_a_name_that_is_there_may_hold_what_looks_like_a_variable():
    Path("in$NOWHERE").mkdir()
    Path("~nobody.npz").touch()
    assert loaded({"results": "in$NOWHERE/out"} | {"results": "in$NOWHERE"}).results == "in$NOWHERE"
    assert loaded({"data": {"source": "npz", "path": "~nobody.npz"}}).data.path == "~nobody.npz"


def test_a_variable_that_is_not_set_and_a_user_that_is_not_there_are_named():
    assert "results: $NOWHERE/out names the variable NOWHERE, which is not set." in refused({"results": "$NOWHERE/out"})
    assert "there is no such user" in refused({"results": "~nobody_here/out"})
    entry = {"methods": {"a": {"file": "$NOWHERE/a.py"}}}
    assert "methods.a.file: $NOWHERE/a.py names the variable NOWHERE" in refused(entry)


def test_a_file_that_is_not_there_is_told_with_what_its_path_expands_to(tmp_path):
    said = refused({"data": {"source": "npz", "path": "~/x.npz"}})
    assert f"data.path: there is no file {tmp_path}/home/x.npz, to which ~/x.npz expands (~ is the home folder)" in said


@pytest.mark.parametrize("results", ["methods", "./methods/", "config", ".", "./", ".git/x", "..", "/", "Snakefile"])
def test_results_need_a_folder_of_their_own(results):
    assert "  - results: " in refused({"results": results})


def test_results_may_be_the_working_folder_that_is_no_checkout(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    assert loaded({"results": "."}).results == "."


@pytest.mark.parametrize("results", ["res_{seed}", "a}", "{a"])
def test_braces_in_results_are_refused_as_wildcards(results):
    assert "holds a brace, { or }" in refused({"results": results})


def test_every_absent_file_is_told_at_once_beside_every_other_problem():
    said = refused(
        {
            "copies": 6,
            "data": {"source": "npz", "path": "data.npz"},
            "forget": {"strategy": "indices", "count": None, "path": "list.txt"},
            "model": {"name": None, "file": "net.py"},
            "training": {"file": "train.py", "lr": "fast"},
            "original": "w.safetensors",
            "methods": {"a": {"file": "a.py"}, "b": {"dump": "b.npz"}},
        }
    )
    assert said.startswith("c.yaml has 9 problems:")
    for key in ("copies", "data.path", "forget.path", "model.file", "training.file", "training.lr", "original",
                "methods.a.file", "methods.b.dump"):  # fmt: skip
        assert f"  - {key}: " in said


def test_every_configuration_file_that_cannot_be_read_is_told(checkout):
    Path("bad.yaml").write_text("a: [1\n")
    with pytest.raises(config.ConfigError) as caught:
        config.load(["absent.yaml", "bad.yaml"], {}, {}, "none")
    assert "absent.yaml: no such file" in str(caught.value)
    assert "bad.yaml, line 2" in str(caught.value)


def test_a_name_spelled_otherwise_in_the_folder_is_pointed_at():
    Path(unicodedata.normalize("NFD", "Bär.npz")).touch()
    said = refused({"data": {"source": "npz", "path": unicodedata.normalize("NFC", "Bär.npz")}})
    assert "looks the same and is spelled otherwise" in said
    assert "looks the same" not in refused({"data": {"source": "npz", "path": "Bar.npz"}})


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({"schema_version": 2, "method": "x", "copies": 64}, "is a result, not a configuration"),
        ({"provenance": {}, "forget": {}}, "is a result, not a configuration"),
        ({"rows": []}, "is no configuration, as none of its keys is one"),
    ],
    ids=str,
)
def test_a_result_behind_configfile_is_a_target_in_the_wrong_place(document, what):
    Path("c.yaml").write_text(json.dumps(RAW))
    Path("score_x.json").write_text(json.dumps(document))
    with pytest.raises(config.ConfigError) as caught:
        config.load(["c.yaml", "score_x.json"], {}, {}, "none")
    assert str(caught.value).startswith(f"score_x.json: {what}: every name behind --configfile is read as one")
    assert "What to make stands before --configfile: snakemake score_x.json --configfile c.yaml" in str(caught.value)


def test_a_second_configuration_file_may_hold_a_single_key():
    Path("c.yaml").write_text(json.dumps(RAW))
    Path("more.yaml").write_text("delta: 0.001")
    assert config.load(["c.yaml", "more.yaml"], {}, {}, "none").delta == 0.001


@pytest.mark.parametrize("name", ["1", "true", "null", "2024-01-01", "1.5"])
def test_a_name_of_a_method_that_is_no_text_is_told(name):
    Path("c.yaml").write_text(json.dumps(RAW)[:-1] + f", methods: {{{name}: {{file: finetune}}}}}}")
    with pytest.raises(config.ConfigError, match=r"methods: .* cannot be a key\. .* Put it in quotes\."):
        config.load(["c.yaml"], {}, {"finetune": Path("finetune.py")}, "none")


@pytest.mark.parametrize(
    ("text", "value"), [("2024_01_02", 20240102), ("2024-01-02", "2024-01-02"), ("off", False), ("1.5", 1.5)]
)
def test_text_that_yaml_reads_as_something_else_is_to_stand_in_quotes(text, value):
    Path("c.yaml").write_text(json.dumps(RAW)[:-1] + f", results: {text}}}")
    with pytest.raises(config.ConfigError, match=f"results: .*{json.dumps(value)}.* must stand in quotes"):
        config.load(["c.yaml"], {}, {}, "none")
    assert loaded({"results": text}).results == text


@pytest.mark.parametrize("text", ["010", "0123", "-012", "0_17", "1:30", "12:30:45", "1:30.5"])
def test_a_number_that_is_not_what_it_looks_like_is_told_with_its_line(text):
    Path("c.yaml").write_text("copies: 8\n" + f"forget: {{strategy: class, label: {text}}}\n")
    with pytest.raises(config.ConfigError, match=rf"c\.yaml, line 2: {text}.* in quotes"):
        config.load(["c.yaml"], {}, {}, "none")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("07", 7), ("1_000", 1000), ("0x10", 16), ('"010"', "010"), ("08", "08"), ("0.10", 0.1)],
)
def test_other_numbers_and_text_in_quotes_are_no_trap(text, value):
    Path("c.yaml").write_text(json.dumps(RAW)[:-1] + f", methods: {{a: {{x: {text}}}}}}}")
    entry = config.load(["c.yaml"], {}, {"a": Path("a.py")}, "none").methods["a"]
    assert entry == {"x": value}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ok: 1\na: " + "1" * 5000, "c.yaml, line 2, column 4: "),
        ("ok: 1\na: [2024-13-45]", 'c.yaml, line 2, column 5: "2024-13-45" looks like a YAML timestamp and is none'),
        ("a: !!int x", "c.yaml, line 1, column 4: "),
        ("a: !!bool x", "c.yaml, line 1, column 4: "),
        ("a: &a [*a]", "an anchor that holds itself"),
        ("a: &a {b: {<<: *a}}", "an anchor that holds itself"),
        ("a: {{x}}", "found unhashable key"),
        ("a: " + "[" * 2000, "nested too deeply"),
    ],
    ids=range(8),
)
def test_what_cannot_be_read_is_told_with_its_place_and_no_traceback(text, said):
    assert said in unread(text)


def test_aliases_that_multiply_are_refused_at_once():
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "more than 1,000,000 characters, written out" in unread("\n".join(["a0: &a0 lol", *levels]))


def test_aliases_and_long_files_are_fine():
    assert read("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}") == {
        "a": {"x": [1, 2]},
        "b": {"x": [1, 2]},
        "c": {"x": [1, 2], "y": 3},
    }
    assert len(read('a: "' + "x" * 1_100_000 + '"')["a"]) == 1_100_000


def test_more_jobs_than_can_be_planned_are_refused_before_planning():
    said = refused({"copies": 1_000_000, "shard_size": 4})
    assert "shard_size: 4 makes 250,000 jobs of every method" in said
    assert "Set shard_size to 100 or more." in said
    assert loaded({"copies": 1_000_000, "shard_size": 1000}).copies == 1_000_000
    assert loaded({"copies": 1024, "shard_size": 1}).shard_size == 1
    assert "models a side, which nobody can train" in refused({"copies": 10**30, "shard_size": 10**30})


def test_a_truth_value_among_options_of_the_command_line_is_what_it_would_be_in_a_file():
    schema = config.json_schema()
    given = {"methods": {"a": {"x": "True", "y": "FALSE", "z": "Null", "w": "tRUE"}}}
    read_as = {"methods": {"a": {"x": True, "y": False, "z": None, "w": "tRUE"}}}
    assert config.from_command_line(given, {}, schema, schema) == read_as


@pytest.mark.parametrize("option", [["--configfile"], ["-n", "--configfiles", "fine.yaml"]])
def test_a_slip_behind_configfile_has_its_line(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("fine.yaml").write_text("copies: 4\n")
    Path("slip.yaml").write_text("data:\n  source: [digits\nforget:\n  strategy: random\n")
    with pytest.raises(SystemExit) as end:
        config.refuse_unreadable([*option, "slip.yaml", "--cores", "2"])
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "slip.yaml, line 3" in said
    assert "bracket" in said
    assert ("what to make stands before" in said) == ("fine.yaml" in option)


def test_what_snakemake_reads_is_let_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("plan.json").write_text('{"copies": 4}')
    Path("fine.yaml").write_text("copies: 4\n")
    config.refuse_unreadable(["results/score_a.json", "--configfile", "plan.json", "fine.yaml", "--cores", "2"])
    config.refuse_unreadable(["-n"])


def test_every_profile_asks_for_the_line_of_a_slip():
    for profile in Path(__file__).parents[3].joinpath("profiles").glob("*/config.yaml"):
        assert "refuse_unreadable()" in profile.read_text(), profile
