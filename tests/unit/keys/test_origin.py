"""Keys: what changes them, and what must not."""

import shutil
from pathlib import Path

import pytest

from unlearning_metric.keys import origin as keys

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "workflow" / "scripts"


def test_digest_ignores_the_order_of_mappings_but_not_of_lists():
    assert keys.digest({"b": 1, "a": [1.5, None]}) == "cf0c4895ed707baa"
    assert keys.digest({"a": 1, "b": 2}) == keys.digest({"b": 2, "a": 1})
    assert keys.digest([1, 2]) != keys.digest([2, 1])


def test_digest_refuses_what_has_no_json_form():
    with pytest.raises(ValueError, match="JSON"):
        keys.digest({"lr": float("nan")})


def test_a_key_depends_on_settings_code_and_inputs_by_name():
    base = keys.Origin({"lr": 1, "wd": 2}, {"x.py": "c"}, {"one": "a", "two": "b"})
    assert base.key == keys.Origin({"wd": 2, "lr": 1}, {"x.py": "c"}, {"two": "b", "one": "a"}).key
    others = [
        keys.Origin({"lr": 2, "wd": 2}, {"x.py": "c"}, {"one": "a", "two": "b"}),
        keys.Origin({"lr": 1, "wd": 2}, {"x.py": "d"}, {"one": "a", "two": "b"}),
        keys.Origin({"lr": 1, "wd": 2}, {"x.py": "c"}, {"one": "b", "two": "a"}),
        keys.Origin({"lr": 1, "wd": 2}, {"x.py": "c"}, {"one": "a"}),
    ]
    assert len({one.key for one in (base, *others)}) == 5


def test_a_difference_names_what_differs_with_both_values():
    needed = keys.Origin({"training": {"lr": 0.1}}, {"training.py": "c"}, {"split": "a"})
    found = keys.Origin({"training": {"lr": 0.2}}, {"training.py": "d"}, {"split": "b"}).header()["origin"]
    assert needed.difference(found).split("; ") == [
        "training.lr: 0.2 -> 0.1",
        "code of training.py: d -> c",
        "made from another split: b -> a",
    ]
    assert "does not say" in needed.difference(None)


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


def reached(script: str) -> set[str]:
    files = keys.reached_modules(SCRIPTS / f"{script}.py")
    return {path.relative_to(keys.PACKAGE_ROOT).as_posix() for path in files if keys.PACKAGE_ROOT in path.parents}


def test_training_reaches_what_trains_and_not_the_metric():
    modules = reached("train")
    assert {"jobs/train.py", "training/train.py", "nets/by_name.py", "batches/loaders.py", "seeds.py"} <= modules
    assert "metrics/challenge.py" not in modules
    assert "score.py" not in modules


def test_scoring_reaches_the_metric_and_its_kernel_and_not_the_training():
    modules = reached("score")
    assert {"scoring/score.py", "metrics/challenge.py", "metrics/_challenge_kernel.py", "outputs/dumps.py"} <= modules
    assert not {"training/train.py", "nets/by_name.py", "unlearning/copies.py"} & modules


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_plumbing_is_never_part_of_a_key(script):
    plumbing = {
        f"{name}.py" for name in ("config", "runtime/devices", "keys/origin", "plan/plan", "progress", "store/files")
    }
    assert not plumbing & reached(script)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of package and scripts that may be edited."""
    package = tmp_path / "unlearning_metric"
    shutil.copytree(keys.PACKAGE_ROOT, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(keys, "PACKAGE_ROOT", package)
    return tmp_path


def codes(tree: Path) -> dict[str, str]:
    keys.code_fingerprints.cache_clear()
    return {name: keys.code_fingerprints(tree / "scripts" / f"{name}.py") for name in ("train", "unlearn", "score")}


@pytest.mark.parametrize(
    ("module", "scripts"),
    [
        ("training/train.py", {"train", "unlearn"}),
        # The script of the rule has the same name.
        ("scoring/score.py", {"score"}),
        ("unlearning/copies.py", {"unlearn"}),
        ("metrics/challenge.py", {"score"}),
        ("metrics/_challenge_kernel.py", {"score"}),
        ("seeds.py", {"train", "unlearn", "score"}),
        ("store/files.py", set()),
        ("progress.py", set()),
        ("runtime/devices.py", set()),
    ],
)
def test_editing_a_module_changes_exactly_the_code_that_reaches_it(tree, module, scripts):
    before = codes(tree)
    with open(tree / "unlearning_metric" / module, "a") as stream:
        stream.write("ADDED = 1\n")
    after = codes(tree)
    assert {name for name in before if before[name] != after[name]} == scripts


def test_a_comment_in_a_module_or_a_script_changes_no_code_fingerprint(tree):
    before = codes(tree)
    for path in (tree / "unlearning_metric" / "training" / "train.py", tree / "scripts" / "train.py"):
        with open(path, "a") as stream:
            stream.write("# a remark\n")
    assert codes(tree) == before


@pytest.mark.parametrize("script", ["train", "score"])
def test_editing_a_script_changes_its_own_fingerprint_only(tree, script):
    before = codes(tree)
    with open(tree / "scripts" / f"{script}.py", "a") as stream:
        stream.write("ADDED = 1\n")
    after = codes(tree)
    assert {name for name in before if before[name] != after[name]} == {script}


def test_where_package_and_scripts_lie_changes_no_fingerprint(tree):
    before = codes(tree)
    for folder in ("a", "z"):
        moved = shutil.copytree(tree / "scripts", tree / folder / "scripts")
        keys.code_fingerprints.cache_clear()
        assert keys.code_fingerprints(moved / "score.py") == before["score"]


@pytest.mark.parametrize("source", ["digits.py", "npz.py", "images.py"])
def test_the_key_of_the_data_covers_the_code_of_every_source(source):
    names = [path.name for path in keys.reached_modules(SCRIPTS / "prepare_data.py") if path.parent.name == "data"]
    assert source in names
