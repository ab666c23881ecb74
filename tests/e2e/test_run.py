"""One real run of a small experiment, and what a second run would do."""

import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from unlearning_metric.score import canonical

pytestmark = pytest.mark.slow

IDENTITY = "def unlearn(model):\n    return model\n"
SHARDS = ("0000-0003", "0004-0007")
GROUPS = {
    "full": ("0000-0000",),
    "retain": SHARDS,
    "unlearn/finetune": SHARDS,
    "unlearn/identity": SHARDS,
}
FINETUNE_ONLY = {"unlearn": 2, "dump_losses": 2, "score": 1, "leaderboard": 1, "all": 1}


@pytest.fixture(scope="session")
def finished(session_workflow):
    """The workflow after a whole run."""
    answer = session_workflow.run("--cores", "2")
    assert answer.returncode == 0, answer.stdout
    session_workflow.first_output = answer.stdout
    return session_workflow


@pytest.fixture
def editable(finished):
    """The same, with configuration and methods put back after the test."""
    saved = {name: finished.path(name).with_name(f"{name}.saved") for name in ("config", "methods")}
    for name, backup in saved.items():
        shutil.copytree(finished.path(name), backup)
    yield finished
    for name, backup in saved.items():
        shutil.rmtree(finished.path(name))
        backup.rename(finished.path(name))


def document(workflow, method, results="results"):
    return json.loads(workflow.path(f"{results}/score_{method}.json").read_text())


def methods_of(jobs, rule):
    return {job.pairs("wildcards")["method"] for job in jobs if job.rule == rule}


def test_every_file_is_made(finished):
    expected = {"data/dataset.npz", "data/split.npz", "leaderboard.csv", "leaderboard.json", "leaderboard.md"}
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

    assert {
        "schema_version", "method", "copies", "originals", "dataset", "model", "forget", "challenge", "utility",
        "efficiency", "diverged", "warnings", "provenance",
    } <= found.keys()  # fmt: skip
    assert {"forgetting_score", "final_score", "floor", "ceiling", "relative"} <= found["challenge"].keys()
    assert found["utility"].keys() == {"retain", "test", "forget"}
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


def test_second_run_has_nothing_to_do(finished):
    answer = finished.run("--cores", "2")

    assert answer.returncode == 0, answer.stdout
    assert "Nothing to be done" in answer.stdout


def test_new_method_plans_only_its_own_jobs(editable):
    editable.write("methods/fresh.py", IDENTITY)

    jobs = editable.jobs()

    counts = {rule: sum(job.rule == rule for job in jobs) for rule in {job.rule for job in jobs}}
    assert counts == FINETUNE_ONLY
    assert methods_of(jobs, "unlearn") == methods_of(jobs, "score") == {"fresh"}


def test_changed_option_reruns_only_its_method(editable):
    editable.configure(methods={"finetune": {"lr": 0.05, "epochs": 1}})

    jobs = editable.jobs()

    # A dry run sees only what its parameters say: the chained keys must reach every rule.
    counts = {rule: sum(job.rule == rule for job in jobs) for rule in {job.rule for job in jobs}}
    assert {rule: counts.get(rule) for rule in FINETUNE_ONLY if rule != "all"} == {
        rule: n for rule, n in FINETUNE_ONLY.items() if rule != "all"
    }
    assert not {"train_full", "train_retain", "split_data", "prepare_data"} & counts.keys()
    assert methods_of(jobs, "unlearn") == methods_of(jobs, "score") == {"finetune"}


def test_changed_code_of_a_method_reruns_only_it(editable):
    file = editable.path("methods/identity.py")
    file.write_text(file.read_text().replace("return model", "return model.eval()"))

    jobs = editable.jobs()

    assert methods_of(jobs, "unlearn") == methods_of(jobs, "score") == {"identity"}
    assert not {"train_full", "train_retain", "split_data", "prepare_data"} & {job.rule for job in jobs}


def test_touched_and_commented_methods_rerun_nothing(editable):
    editable.path("methods/identity.py").touch()
    for name in ("finetune", "_sgd"):
        file = editable.path(f"methods/{name}.py")
        file.write_text(f"# A comment.\n{file.read_text()}\n# Another.\n")

    assert editable.jobs() == []


def test_configuration_that_changes_no_result_reruns_nothing(editable):
    # What is written out is the default already.
    editable.configure(experiment_seed=0, originals=1, ceiling="split", delta=1e-5)

    assert editable.jobs("--config", "device=auto") == []


def test_changed_metric_setting_reruns_only_the_scores(editable):
    assert editable.counts("--config", "delta=0.001") == {"score": 2, "leaderboard": 1, "all": 1}


def test_changed_recipe_rebuilds_the_whole_chain_in_one_run(editable):
    editable.configure(training={"lr": 0.1, "epochs": 3, "batch_size": 32})

    assert editable.counts() == {
        "train_full": 1,
        "train_retain": 2,
        "unlearn": 4,
        "dump_losses": 7,
        "score": 2,
        "leaderboard": 1,
        "all": 1,
    }


def test_more_copies_keep_the_models_there_are(editable):
    jobs = editable.jobs("--config", "copies=12")

    assert {job.pairs("wildcards")["shard"] for job in jobs if "shard" in job.pairs("wildcards")} == {"0008-0011"}
    assert {job.rule for job in jobs} == {
        "train_retain",
        "unlearn",
        "dump_losses",
        "score",
        "leaderboard",
        "all",
    }


def test_moved_folder_reruns_nothing(finished, tmp_path):
    # Not copy2: new file times, as after a clone.
    moved = shutil.copytree(finished.folder, tmp_path / "moved", copy_function=shutil.copyfile)

    assert finished.jobs(cwd=moved) == []


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
    assert pq.read_table(finished.path("results/samples_finetune.parquet")).equals(
        pq.read_table(finished.path("elsewhere/samples_finetune.parquet"))
    )
    after = {path: path.stat().st_mtime_ns for path in finished.path("results").rglob("*") if path.is_file()}
    assert after == before


def test_failing_method_is_named_and_holds_up_no_other(editable):
    editable.write(
        "methods/broken.py",
        "calls = []\n\n\ndef unlearn(model):\n    calls.append(1)\n    if len(calls) == 3:\n"
        "        raise ArithmeticError('out of luck')  # here\n    return model\n",
    )
    editable.write("methods/twin.py", IDENTITY)

    answer = editable.run("--cores", "2", "results/score_broken.json", "results/score_twin.json")

    assert answer.returncode != 0
    for copy, shard in ((2, SHARDS[0]), (6, SHARDS[1])):
        message = f"method broken failed on copy {copy}: ArithmeticError: out of luck"
        log = editable.path(f"results/logs/unlearn/broken/{shard}.log").read_text()
        assert message in log
        assert "methods/broken.py" in log
        assert "raise ArithmeticError('out of luck')  # here" in log
        assert message in answer.stdout
    assert not editable.path("results/score_broken.json").exists()
    assert not list(editable.path("results/models/unlearn").glob("broken/*"))
    # The same method under another name: scored, and as the floor.
    assert document(editable, "twin")["challenge"]["forgetting_score"] == 0.0
