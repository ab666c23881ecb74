"""One real run of a small experiment, and what a second run would do."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from unlearning_metric.scoring.schema import ScoreDocument
from unlearning_metric.scoring.score import canonical
from unlearning_metric.seeds import Streams

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]

IDENTITY = "def unlearn(model):\n    return model\n"
SHARDS = ("0000-0003", "0004-0007")
GROUPS = {
    "full": ("0000-0000",),
    "retain": SHARDS,
    "unlearn/finetune": SHARDS,
    "unlearn/identity": SHARDS,
}


def document(workflow, method, results="results"):
    return json.loads(workflow.path(f"{results}/score_{method}.json").read_text())


def test_every_file_is_made(finished):
    expected = {"data/dataset.npz", "data/split.npz", "report.html"}
    expected |= {f"leaderboard.{suffix}" for suffix in ("csv", "html", "json", "md", "tex")}
    expected |= {f"score_{method}.json" for method in ("finetune", "identity")}
    expected |= {f"samples_{method}.parquet" for method in ("finetune", "identity")}
    for group, shards in GROUPS.items():
        for shard in shards:
            expected |= {f"models/{group}/{shard}.safetensors", f"losses/{group}/{shard}.parquet"}
    results = finished.path("results")
    made = {
        path.relative_to(results).as_posix()
        for path in results.rglob("*")
        if path.is_file() and "logs" not in path.relative_to(results).parts
    }

    assert expected <= made
    assert not [path for path in made if "tmp" in path]
    assert all(results.joinpath(name).stat().st_size for name in expected)


def test_the_end_of_a_run_shows_the_leaderboard(finished):
    tail = finished.first_output[finished.first_output.index("steps (100%) done") :]

    assert "Leaderboard: results/leaderboard.md" in tail
    # All of it is read at a glance.
    assert len(finished.first_output.splitlines()) < 60
    assert "| identity" in tail


def test_leaderboard_ranks_by_final_score(finished):
    table = pd.read_csv(finished.path("results/leaderboard.csv"))
    scores = {name: document(finished, name)["challenge"]["final_score"] for name in ("finetune", "identity")}

    assert table["rank"].tolist() == [1, 2]
    assert table["method"].tolist() == sorted(scores, key=lambda name: (-scores[name], name))
    assert dict(zip(table["method"], table["final_score"], strict=True)) == pytest.approx(scores)
    assert table["copies"].tolist() == [8, 8]


def test_identity_scores_exactly_zero(finished):
    identity = document(finished, "identity")

    assert identity["challenge"]["forgetting_score"] == 0.0
    assert identity["challenge"]["final_score"] == 0.0
    assert identity["challenge"]["n_peaky"] == identity["forget"]["size"] == 40
    assert document(finished, "finetune")["challenge"]["forgetting_score"] > 0


def test_score_document_has_its_keys(finished):
    found = document(finished, "finetune")

    ScoreDocument.model_validate(found)
    assert found["klom"]["probe"] is not None
    assert found["simple_mia"] is not None
    assert found["method"] == "finetune"
    assert found["copies"] == 8
    assert found["forget"] == {"strategy": "random", "size": 40}
    assert found["provenance"]["configuration"]["options"] == finished.small["methods"]["finetune"]
    assert found["provenance"]["keys"].keys() >= {"retrained", "unlearned", "originals", "score"}


def test_outputs_have_their_columns_and_rows(finished):
    table = pq.read_table(finished.path("results/losses/unlearn/finetune/0004-0007.parquet")).to_pandas()

    assert {"model", "role", "example", "label", "loss", "confidence", "correct"} <= set(table.columns)
    assert sorted(table["model"].unique()) == [4, 5, 6, 7]
    sizes = table[table["model"] == 4]["role"].astype(str).value_counts()
    assert {role: sizes[role] for role in ("forget", "probe", "validation")} == {
        "forget": 40,
        "probe": 20,
        "validation": 50,
    }
    # Copies come from random streams of their own.
    forget = table[table["role"].astype(str) == "forget"].pivot(index="example", columns="model", values="loss")
    assert not (forget[4] == forget[5]).all()


def test_samples_have_a_row_for_each_forget_example(finished):
    table = pq.read_table(finished.path("results/samples_identity.parquet")).to_pandas()

    assert {"example", "label", "epsilon", "points", "peaky", "retrained_mean", "unlearned_sd"} <= set(table.columns)
    assert len(table) == table["example"].nunique() == 40
    # The same model eight times: nothing but rounding.
    assert table["unlearned_sd"].max() < 1e-12 < table["retrained_sd"].min()


def test_three_lines_of_the_readme_reproduce_the_headline_number(finished):
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"\n\n((?:    .*\n)+)", text[text.index("reproduces the headline number") :])[:1]
    assert len(block.splitlines()) == 3
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(block)], cwd=finished.folder, capture_output=True, text=True, check=True
    )
    assert float(answer.stdout) == pytest.approx(document(finished, "finetune")["challenge"]["forgetting_score"])


def test_second_run_has_nothing_to_do(finished):
    answer = finished.run("--cores", "2")

    assert answer.returncode == 0, answer.stdout
    assert "Nothing to be done" in answer.stdout


def test_another_folder_and_shard_size_give_the_same_bytes(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.path("results").rglob("*") if path.is_file()}

    answer = finished.run(
        "--cores", "2", "elsewhere/score_finetune.json", "--config", "results=elsewhere", "shard_size=2"
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout
    assert len(list(finished.path("elsewhere/models/retain").glob("*.safetensors"))) == 4
    first, second = document(finished, "finetune"), document(finished, "finetune", "elsewhere")
    assert canonical(first) == canonical(second)
    assert first["provenance"]["run"] != second["provenance"]["run"]
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(finished.path(f"{folder}/samples_finetune.parquet")) for folder in ("results", "elsewhere")),
        check_exact=True,
    )
    after = {path: path.stat().st_mtime_ns for path in finished.path("results").rglob("*") if path.is_file()}
    assert after == before


@pytest.fixture
def own_run(finished, tmp_path):
    """The finished run in a folder of the test's own: what is made there is in nobody's way."""
    return finished.copied_to(tmp_path / "own")


def test_an_environment_in_a_folder_with_a_blank_and_a_quote(workflow):
    place = workflow.folder / "it's mine" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (packages,) = place.glob("lib/python3.*/site-packages")
    packages.joinpath("all.pth").write_text("\n".join(path for path in sys.path if path))
    answer = subprocess.run(
        [place / "bin" / "python", "-m", "snakemake", "--cores", "1", "results/data/split.npz"],
        cwd=workflow.folder, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert workflow.path("results/data/split.npz").exists()


def test_failing_method_is_named_and_holds_up_no_other(own_run):
    # The third copy of each shard.
    unlucky = [Streams(0, "unlearn/broken", index).integer("seed") % 2**31 for index in (2, 6)]
    own_run.write(
        "methods/broken.py",
        f"def unlearn(model, seed):\n    if seed in {unlucky}:\n"
        "        raise ArithmeticError('out of luck')  # here\n    return model\n",
    )
    own_run.write("methods/twin.py", IDENTITY)

    answer = own_run.run("--cores", "2", "results/score_broken.json", "results/score_twin.json")

    assert answer.returncode != 0
    for index, shard in ((2, SHARDS[0]), (6, SHARDS[1])):
        log = own_run.path(f"results/logs/unlearn/broken/{shard}.log").read_text()
        (message,) = set(re.findall(r"method broken failed on copy .*", log))
        assert re.fullmatch(
            rf"method broken failed on copy {index} \(seed \d+\): ArithmeticError: out of luck "
            r"\(methods/broken.py, line 3: raise ArithmeticError\('out of luck'\)  # here\)\. Mend that line, .*",
            message,
        )
        assert message in answer.stdout
    assert not own_run.path("results/score_broken.json").exists()
    assert not list(own_run.path("results/models/unlearn").glob("broken/*"))
    # The same method under another name: scored, and as the floor.
    assert document(own_run, "twin")["challenge"]["forgetting_score"] == 0.0


def test_outputs_made_elsewhere_join_the_leaderboard_with_the_score_they_had_here(own_run):
    frames = [
        pq.read_table(own_run.path(f"results/losses/unlearn/finetune/{shard}.parquet")).to_pandas() for shard in SHARDS
    ]
    forget = pd.concat(frames).query("role == 'forget'").pivot(index="model", columns="example", values="confidence")
    order = forget.columns.to_numpy()[::-1]
    here = document(own_run, "finetune")
    accuracies = {f"{name}_accuracy": here["utility"][name]["unlearned"] for name in ("retain", "test")}
    np.savez(own_run.path("theirs.npz"), confidence=forget[order].to_numpy(), examples=order, **accuracies)
    own_run.configure(methods={**own_run.small["methods"], "theirs": {"dump": "theirs.npz"}})

    answer = own_run.run("--cores", "2", "results/leaderboard.csv")

    assert answer.returncode == 0, answer.stdout
    theirs = document(own_run, "theirs")
    for name in ("forgetting_score", "epsilon_quantiles", "floor", "ceiling"):
        assert theirs["challenge"][name] == here["challenge"][name]
    assert theirs["challenge"]["final_score"] == pytest.approx(here["challenge"]["final_score"])
    assert theirs["efficiency"]["ratio"] is None
    assert set(pd.read_csv(own_run.path("results/leaderboard.csv"))["method"]) == {"finetune", "identity", "theirs"}
