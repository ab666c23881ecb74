"""A method's outputs against a bank, and banks of models that were trained elsewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unlearning_metric.__main__ import main
from unlearning_metric.bank.sides import read_sides
from unlearning_metric.bank.unpack import open_bank

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def sides(digits):
    """The sides of the small bank."""
    return read_sides(digits)


def arrays_of(side, roles=("forget", "probe", "test")):
    """Arrays as a user would record them, of an ensemble."""
    found = {f"{name}_accuracy": values for name, values in side.accuracy.items() if name in ("retain", "test")}
    for role in roles:
        prefix, outputs = "" if role == "forget" else f"{role}_", side.roles[role]
        found |= {f"{prefix}confidence": outputs.confidence, f"{prefix}examples": outputs.examples}
        found |= {f"{prefix}labels": outputs.labels}
    return found


@pytest.fixture(scope="module")
def unlearned(sides):
    """Arrays of copies that are nearly retrained."""
    draw = np.random.default_rng(0)
    arrays = arrays_of(sides.sides["retrained"])
    for name in ("confidence", "probe_confidence", "test_confidence"):
        arrays[name] = np.roll(arrays[name], 1, axis=0) + draw.normal(0.5, 1.0, arrays[name].shape)
    return arrays


def document(folder, name="mine"):
    return json.loads(Path(folder, f"score_{name}.json").read_text())


def scored(*arguments):
    return main(["score", *map(str, arguments)])


def test_a_bank_stands_for_the_other_sides(digits, sides, unlearned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", **unlearned)
    np.savez("retrained.npz", **arrays_of(sides.sides["retrained"]))
    np.savez("original.npz", **arrays_of(sides.sides["originals"]))
    assert scored("--bank", digits, "--unlearned", "mine.npz", "--out", "bank") == 0
    assert scored("--retrained", "retrained.npz", "--original", "original.npz", "--unlearned", "mine.npz",
                  "--out", "arrays") == 0  # fmt: skip
    by_bank, by_arrays = document("bank")["challenge"], document("arrays")["challenge"]
    for name in ("forgetting_score", "final_score", "floor", "ceiling", "relative", "epsilon_quantiles"):
        assert by_bank[name] == pytest.approx(by_arrays[name]), name
    board = json.loads(Path("bank/leaderboard.json").read_text())
    assert board["bank"] == {"name": "digits-64.zip", "title": "Digits, N = 64", "sha256": sides.opened.sha256}
    for form in ("md", "html", "tex"):
        assert sides.opened.sha256 in Path(f"bank/leaderboard.{form}").read_text()
    # Once more, over what the same command wrote; and from an opened folder.
    open_bank(digits, "opened")
    assert scored("--bank", "opened", "--unlearned", "mine.npz", "--out", "bank") == 0
    assert document("bank")["challenge"] == by_bank


def test_the_order_of_the_examples_is_the_banks(digits, unlearned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    order = np.random.default_rng(1).permutation(72)
    shuffled = {**unlearned, "confidence": unlearned["confidence"][:, order]}
    shuffled |= {name: unlearned[name][order] for name in ("examples", "labels")}
    np.savez("mine.npz", **unlearned)
    np.savez("shuffled.npz", **shuffled)
    assert scored("--bank", digits, "--unlearned", "mine.npz", "shuffled.npz") == 0
    assert document(".", "shuffled")["challenge"] == document(".", "mine")["challenge"]


def test_outputs_that_do_not_fit_the_bank_are_refused(digits, unlearned, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wrong = {
        "nameless": ({name: v for name, v in unlearned.items() if name != "examples"}, "add the array examples"),
        "others": ({**unlearned, "examples": unlearned["examples"] + 1000}, "are not those of the bank"),
        "fewer": ({n: v[:32] if v.ndim == 2 or "accuracy" in n else v for n, v in unlearned.items()}, "32 models"),
        "labelled": ({**unlearned, "labels": (unlearned["labels"] + 1) % 10}, "contradict each other"),
    }
    for name, (arrays, message) in wrong.items():
        np.savez(f"{name}.npz", **arrays)
        assert scored("--bank", digits, "--unlearned", f"{name}.npz") == 2
        assert message in capsys.readouterr().err
    assert scored("--bank", digits, "--unlearned", "nameless.npz", "--delta", "0.1") == 2
    assert "--delta: the bank says that" in capsys.readouterr().err
    assert not list(Path().glob("score_*"))


def test_arrays_are_wrapped_into_a_bank(sides, unlearned, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", **unlearned)
    np.savez("retrained.npz", **arrays_of(sides.sides["retrained"]))
    np.savez("original.npz", **arrays_of(sides.sides["originals"]))
    make = ["bank", "make", "--retrained", "retrained.npz", "--original", "original.npz", "-o", "wrapped.zip"]
    assert main([*make, "--licence", "CC0"]) == 0
    assert main(["bank", "check", "wrapped.zip"]) == 0
    assert "64 retrained models" in capsys.readouterr().out
    assert scored("--bank", "wrapped.zip", "--unlearned", "mine.npz", "--out", "bank") == 0
    assert scored("--retrained", "retrained.npz", "--original", "original.npz", "--unlearned", "mine.npz",
                  "--out", "arrays") == 0  # fmt: skip
    assert document("bank")["challenge"] == document("arrays")["challenge"]
    assert main(make) == 2
    assert "wrapped.zip is there" in capsys.readouterr().err


def test_models_that_are_on_both_sides_make_no_bank(sides, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("retrained.npz", **arrays_of(sides.sides["retrained"]))
    make = ["bank", "make", "--retrained", "retrained.npz", "--ceiling", "retrained.npz", "-o", "wrapped.zip"]
    assert main(make) == 2
    assert "same outputs" in capsys.readouterr().err
    assert not Path("wrapped.zip").exists()


def margins_folder(folder, seed):
    """A folder as margins are published: a file for each model, and one list of the forget examples for all."""
    draw = np.random.default_rng(seed)
    level = np.linspace(-2, 2, 200)
    folder.mkdir(parents=True)
    for model in range(16):
        np.save(folder / f"model_{model}_margins.npy", (level + draw.normal(0, 1, 200)).astype(np.float32))


def test_the_recipe_for_folders_of_margins_works(tmp_path, monkeypatch):
    """The lines of docs/scoring-elsewhere.md, as they stand there."""
    monkeypatch.chdir(tmp_path)
    for number, part in enumerate(("pretrain", "retrain", "mine")):
        margins_folder(Path("margins", part), number)
    np.save("margins/forget.npy", np.arange(5, 45))
    text = (DOCS / "scoring-elsewhere.md").read_text()
    section = text[text.index("## Folders of margins") :]
    (recipe,) = re.findall(r"```python\n(.*?)```", section, re.S)[:1]
    exec(compile(recipe, "recipe", "exec"), {})
    lines = re.findall(r"^    python -m unlearning_metric (.*)$", section, re.M)
    assert [main(line.split()) for line in lines[:2]] == [0, 0]
    assert document("scores")["forget"]["size"] == 40


def test_neither_torch_nor_snakemake_is_needed(digits, unlearned, tmp_path):
    np.savez(tmp_path / "mine.npz", **unlearned)
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'torchvision', 'snakemake', 'safetensors', 'pooch'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from unlearning_metric.__main__ import main\n"
        f"bank = {str(digits)!r}\n"
        "sys.exit(main(['bank', 'check', bank]) or main(['score', '--bank', bank, '--unlearned', 'mine.npz']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "every byte fits" in done.stdout
    assert "mine" in done.stdout
