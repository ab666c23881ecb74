"""`python -m unlearning_metric score`: arrays in, the workflow's documents out."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from unlearning_metric import challenge_score
from unlearning_metric.__main__ import main
from unlearning_metric.scoring.schema import ScoreDocument
from unlearning_metric.store.files import read_document

MODELS, EXAMPLES = 16, 12


@pytest.fixture
def files(tmp_path):
    generator = np.random.default_rng(0)
    for name, shift, models in (("r", 0, MODELS), ("mine", 0.5, MODELS), ("other", 0.6, MODELS), ("o", 2, 1)):
        confidence = generator.normal(3 + shift, 2, (models, EXAMPLES))
        np.savez(tmp_path / f"{name}.npz", confidence=confidence, retain_accuracy=0.9, test_accuracy=0.8)
    return tmp_path


def run(files, *more, unlearned=("mine",)):
    paths = [str(files / f"{name}.npz") for name in unlearned]
    return main(
        ["score", "--retrained", str(files / "r.npz"), "--unlearned", *paths, "--out", str(files / "out"), *more]
    )


def test_the_summary_is_printed_and_the_same_files_are_written(files, capsys):
    assert run(files, "--original", str(files / "o.npz"), unlearned=("mine", "other")) == 0
    printed = capsys.readouterr().out
    assert "| mine" in printed
    assert "| other" in printed
    assert "95 % intervals" in printed
    for name in ("mine", "other"):
        document = read_document(files / f"out/score_{name}.json")
        ScoreDocument.model_validate_json(json.dumps(document))
        sides = [np.load(files / f"{side}.npz")["confidence"] for side in ("r", name)]
        assert document["challenge"]["forgetting_score"] == challenge_score(*sides)
        assert document["challenge"]["floor"] == 0.0
        table = pd.read_parquet(files / f"out/samples_{name}.parquet")
        assert table["points"].mean() == pytest.approx(document["challenge"]["forgetting_score"])
    assert pd.read_csv(files / "out/leaderboard.csv")["tie"].tolist()[0] in (True, False)


def test_a_second_set_can_be_the_ceiling(files):
    assert run(files, "--ceiling", str(files / "other.npz")) == 0
    document = read_document(files / "out/score_mine.json")
    assert document["challenge"]["ceiling_source"] == "retrain"
    sides = [np.load(files / f"{side}.npz")["confidence"] for side in ("r", "other")]
    assert document["challenge"]["ceiling"] == challenge_score(*sides)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"confidence": np.zeros((8, EXAMPLES))}, "has 8 models and .*r.npz has 16.*equally many"),
        ({"confidence": np.zeros((MODELS, 3))}, "different forget examples \\(3 and 12 examples\\)"),
        ({"wrong": np.zeros(3)}, "holds wrong, which nobody reads"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line_and_nothing_is_written(files, capsys, arrays, message):
    np.savez(files / "mine.npz", **arrays)
    assert run(files) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert pd.Series([said]).str.contains(message).all(), said
    assert not (files / "out").exists()


def test_the_same_models_on_both_sides_are_refused(files, capsys):
    assert run(files, unlearned=("r",)) == 2
    assert "same outputs, bit by bit" in capsys.readouterr().err


def test_two_files_of_one_name_and_names_that_are_no_method_are_refused(files, capsys):
    (files / "more").mkdir()
    (files / "more/mine.npz").write_bytes((files / "other.npz").read_bytes())
    assert run(files, unlearned=("mine", "more/mine")) == 2
    assert "would both be the method mine" in capsys.readouterr().err
    (files / "my-own.npz").write_bytes((files / "other.npz").read_bytes())
    assert run(files, unlearned=("my-own",)) == 2
    assert "Rename it" in capsys.readouterr().err


def test_no_torch_and_no_snakemake_are_loaded(files):
    code = (
        "import sys\nfrom unlearning_metric.__main__ import main\n"
        f"code = main(['score', '--retrained', {str(files / 'r.npz')!r}, '--unlearned', {str(files / 'mine.npz')!r}, "
        f"'--out', {str(files / 'out')!r}])\n"
        "assert not {'torch', 'snakemake'} & set(sys.modules), 'loaded'\nsys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def change(files, name, **arrays):
    kept = dict(np.load(files / f"{name}.npz"))
    np.savez(files / f"{name}.npz", **{**kept, **arrays})


def test_what_a_score_compiles_can_be_compiled_before(files):
    test = np.random.default_rng(1).normal(size=(MODELS, 40))
    for name in ("r", "mine"):
        change(files, name, test_confidence=test)
    code = (
        "import sys\nfrom numba.core.dispatcher import Dispatcher\n"
        "from unlearning_metric.metrics.compile_kernels import compile_kernels\n"
        "from unlearning_metric.__main__ import main\n"
        "compile_kernels()\ncompile = Dispatcher.compile\nmore = []\n"
        "Dispatcher.compile = lambda kernel, types: (more.append((kernel, types)), compile(kernel, types))[1]\n"
        f"main(['score', '--retrained', {str(files / 'r.npz')!r}, '--unlearned', {str(files / 'mine.npz')!r}, "
        f"'--out', {str(files / 'out')!r}])\nassert not more, more\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    document = read_document(files / "out/score_mine.json")
    assert document["simple_mia"] is not None
    assert document["heldout"] is not None


def test_groups_or_labels_that_differ_between_the_sides_are_refused(files, capsys):
    for array, what in (("groups", "group"), ("labels", "forget label")):
        change(files, "r", **{array: np.arange(EXAMPLES) % 3})
        change(files, "mine", **{array: np.arange(EXAMPLES) % 2})
        assert run(files) == 2
        assert f"the {what} of example 2 (counted from 0) is 0 and 2" in capsys.readouterr().err
        change(files, "mine", **{array: np.arange(EXAMPLES) % 3})
    assert not (files / "out").exists()


def test_labels_on_one_side_alone_serve_both_and_are_warned_of(files):
    change(files, "mine", labels=np.arange(EXAMPLES) % 3)
    assert run(files) == 0
    document = read_document(files / "out/score_mine.json")
    assert set(document["strata"]["label"]) == {"0", "1", "2"}
    said = "outputs of the retrained models: no labels of the forget examples"
    assert sum(said in warning for warning in document["warnings"]) == 1


def test_a_method_may_be_called_as_a_side_is(files, capsys):
    np.savez(files / "ceiling.npz", confidence=np.random.default_rng(8).normal(size=(8, EXAMPLES)))
    assert run(files, unlearned=("ceiling",)) == 2
    assert "ceiling.npz has 8 models and" in capsys.readouterr().err


def test_a_folder_of_the_workflow_is_left_alone(files, capsys):
    out = files / "out"
    (out / "data").mkdir(parents=True)
    (out / "data/split.npz").touch()
    assert run(files) == 2
    assert "holds results of the workflow (data/split.npz)" in capsys.readouterr().err
    (out / "data/split.npz").unlink()
    (out / "leaderboard.json").write_text('{"scores": {"finetune": "k"}}')
    assert run(files) == 2
    assert "leaderboard.json was not made by this command" in capsys.readouterr().err
    assert (out / "leaderboard.json").read_text() == '{"scores": {"finetune": "k"}}'
    (out / "leaderboard.json").unlink()
    # What the command made itself may be made again.
    assert run(files) == 0
    assert run(files, "--seed", "1") == 0


@pytest.mark.parametrize(
    "options",
    [("--seed", "-1"), ("--efficiency-limit", "nan"), ("--efficiency-limit", "-1"), ("--efficiency-limit", "inf")],
)
def test_slips_on_the_command_line_get_a_message(files, capsys, options):
    with pytest.raises(SystemExit):
        run(files, *options)
    assert options[0] in capsys.readouterr().err


def test_a_file_is_no_folder_to_write_to(files, capsys):
    assert run(files, "--out", str(files / "r.npz")) == 2
    assert "is a file. Name a folder" in capsys.readouterr().err
