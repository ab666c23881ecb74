"""Keys: what changes them, and what must not."""

import shutil
from pathlib import Path

import pytest

from unlearning_metric.keys import origin as keys
from unlearning_metric.keys.versions import VERSIONS, Version

ROOT = Path(__file__).resolve().parents[3]


def test_digest_ignores_the_order_of_mappings_but_not_of_lists():
    assert keys.digest({"b": 1, "a": [1.5, None]}) == "cf0c4895ed707baa"
    assert keys.digest({"a": 1, "b": 2}) == keys.digest({"b": 2, "a": 1})
    assert keys.digest([1, 2]) != keys.digest([2, 1])


def test_digest_refuses_what_has_no_json_form():
    with pytest.raises(ValueError, match="JSON"):
        keys.digest({"lr": float("nan")})


def test_a_key_depends_on_step_settings_and_inputs_by_name():
    base = keys.Origin("train", {"lr": 1, "wd": 2}, {"one": "a", "two": "b"})
    assert base.key == keys.Origin("train", {"wd": 2, "lr": 1}, {"two": "b", "one": "a"}).key
    others = [
        keys.Origin("train", {"lr": 2, "wd": 2}, {"one": "a", "two": "b"}),
        keys.Origin("unlearn", {"lr": 1, "wd": 2}, {"one": "a", "two": "b"}),
        keys.Origin("train", {"lr": 1, "wd": 2}, {"one": "b", "two": "a"}),
        keys.Origin("train", {"lr": 1, "wd": 2}, {"one": "a"}),
    ]
    assert len({origin.key for origin in (base, *others)}) == 5


def test_a_raised_version_changes_the_keys_of_its_step_alone(monkeypatch):
    before = {step: keys.Origin(step, {}).key for step in VERSIONS}
    monkeypatch.setitem(VERSIONS, "train", Version(VERSIONS["train"].number + 1, "momentum"))
    after = {step: keys.Origin(step, {}).key for step in VERSIONS}
    assert {step for step in VERSIONS if before[step] != after[step]} == {"train"}


def test_a_difference_names_what_differs_with_both_values(monkeypatch):
    found = keys.Origin("train", {"training": {"lr": 0.2}}, {"split": "b"}).header()["origin"]
    monkeypatch.setitem(VERSIONS, "train", Version(7, "first step of momentum"))
    needed = keys.Origin("train", {"training": {"lr": 0.1}}, {"split": "a"})
    assert needed.difference(found).split("; ") == [
        f"version of train: {found['version']} -> 7 (first step of momentum)",
        "training.lr: 0.2 -> 0.1",
        "made from another split: b -> a",
    ]
    assert "does not say" in needed.difference(None)
    assert "before steps had versions" in needed.difference({"settings": {}, "code": {"training.py": "d"}})


def test_the_code_of_the_package_stands_in_the_header_and_changes_no_key(tmp_path, monkeypatch):
    package = tmp_path / "unlearning_metric"
    shutil.copytree(keys.PACKAGE_ROOT, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(keys, "PACKAGE_ROOT", package)
    keys.code_fingerprint.cache_clear()
    before = keys.Origin("train", {"lr": 1}).header()
    with open(next(package.rglob("training.py")), "a") as stream:
        stream.write("ADDED = 1\n")
    keys.code_fingerprint.cache_clear()
    after = keys.Origin("train", {"lr": 1}).header()
    keys.code_fingerprint.cache_clear()
    assert before["code"] != after["code"]
    assert {**before, "code": None} == {**after, "code": None}


def test_every_step_has_a_version_and_every_version_a_step():
    scripts = {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    assert set(VERSIONS) == scripts
    assert all(version.number >= 1 and version.change for version in VERSIONS.values())


@pytest.fixture
def methods(tmp_path):
    (tmp_path / "mine.py").write_text("from _helper import go\n\n\ndef unlearn(model):\n    go(model, 1)\n")
    (tmp_path / "_helper.py").write_text("import _deeper\n\n\ndef go(model, x):\n    return _deeper.y * x\n")
    (tmp_path / "_deeper.py").write_text("y = 1\n")
    (tmp_path / "_unrelated.py").write_text("y = 1\n")
    (tmp_path / "other.py").write_text("def unlearn(model):\n    return model\n")
    return tmp_path


@pytest.mark.parametrize("name", ["mine.py", "_helper.py", "_deeper.py"])
def test_editing_a_method_or_a_helper_it_imports_changes_its_fingerprint(methods, name):
    before = keys.method_fingerprint(methods / "mine.py")
    with open(methods / name, "a") as stream:
        stream.write("ADDED = 1\n")
    assert keys.method_fingerprint(methods / "mine.py") != before


@pytest.mark.parametrize("name", ["_unrelated.py", "other.py"])
def test_editing_an_unrelated_file_leaves_a_methods_fingerprint(methods, name):
    before = keys.method_fingerprint(methods / "mine.py")
    with open(methods / name, "a") as stream:
        stream.write("ADDED = 1\n")
    assert keys.method_fingerprint(methods / "mine.py") == before


def test_a_comment_in_a_helper_leaves_a_methods_fingerprint(methods):
    before = keys.method_fingerprint(methods / "mine.py")
    with open(methods / "_helper.py", "a") as stream:
        stream.write("# a remark\n")
    assert keys.method_fingerprint(methods / "mine.py") == before


def test_a_method_that_does_not_parse_still_has_a_fingerprint_of_its_bytes(methods):
    (methods / "mine.py").write_text("def unlearn(:\n")
    before = keys.method_fingerprint(methods / "mine.py")
    (methods / "mine.py").write_text("def unlearn(:  \n")
    assert keys.method_fingerprint(methods / "mine.py") != before
