"""Which jobs entries, checks and oracles need, and what reruns when they change."""

import pytest

IDENTITY = "def unlearn(model):\n    return model\n"
ORACLE = "def unlearn(oracle_model):\n    return oracle_model\n"
CHAIN = {"prepare_data": 1, "split_data": 1, "train_full": 1}


def methods_of(jobs):
    return {job.pairs("wildcards")["method"] for job in jobs if "method" in job.pairs("wildcards")}


def test_a_check_needs_data_split_and_original_only(workflow):
    assert workflow.counts("results/check_finetune.json") == {**CHAIN, "check": 1}


def test_a_check_needs_one_original_of_many(workflow):
    workflow.configure(originals={"count": 4})
    assert workflow.counts("results/check_finetune.json") == {**CHAIN, "check": 1}


def test_an_unknown_method_cannot_be_checked(workflow):
    answer = workflow.run("-n", "results/check_finetun.json")
    assert answer.returncode != 0
    assert "Unknown method 'finetun'. Known: finetune, identity, reset_head, retrain. Did you mean" in answer.stdout


def test_an_entry_that_names_a_file_is_scored_and_checked_like_any_method(workflow):
    workflow.only("finetune")
    workflow.write("elsewhere/theirs.py", "def forget(net, retain_loader): ...\n")
    workflow.configure(
        methods={
            "ft_low": {"file": "finetune", "lr": 0.0005},
            "theirs": {"file": "elsewhere/theirs.py", "function": "forget", "batches": "kaggle"},
        }
    )
    jobs = workflow.jobs()
    assert methods_of([job for job in jobs if job.rule == "score"]) == {"finetune", "ft_low", "theirs"}
    assert workflow.counts("results/check_theirs.json") == {**CHAIN, "check": 1}

    workflow.configure(methods={"ft_low": {"file": "finetune"}}, skip=["ft_low"])
    assert methods_of(workflow.jobs()) == {"finetune"}
    assert methods_of(workflow.jobs("results/score_ft_low.json")) == {"ft_low"}


def test_a_method_that_asks_for_an_oracle_waits_for_the_same_shard_of_retrain(workflow):
    workflow.only("retrain").write("methods/oracle.py", ORACLE)
    workflow.configure(methods={}, skip=["retrain"])
    jobs = [job for job in workflow.jobs() if job.rule == "unlearn"]
    needed = {
        job.pairs("wildcards")["shard"]: job.files("input") for job in jobs if "oracle" in job.fields["wildcards"]
    }
    assert set(needed) == {"0000-0003", "0004-0007"}
    for shard, files in needed.items():
        assert [file for file in files if "/unlearn/" in file] == [
            f"results/models/unlearn/retrain/{shard}.safetensors"
        ]
    assert methods_of(jobs) == {"oracle", "retrain"}
    # Its check as well, for one shard.
    assert workflow.counts("results/check_oracle.json") == {**CHAIN, "unlearn": 1, "check": 1}


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ({"finetune": {"lr": "fast"}}, 'methods.finetune.lr: "fast" is not allowed. Expected a number, like the'),
        ({"finetune": {"rate": 1}}, "methods.finetune.rate: the method takes no such hyper-parameter."),
        ({"low": {"file": "nowhere.py"}}, "methods.low.file: there is no file nowhere.py"),
        ({"low": {"file": "finetun"}}, "methods.low.file: \"finetun\" is not allowed."),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_methods_file_stops_before_any_job(workflow, methods, said):
    workflow.configure(methods=methods)
    answer = workflow.run("--cores", "1")
    assert answer.returncode != 0
    assert said in answer.stdout
    assert "Traceback" not in answer.stdout
    assert "Building DAG" not in answer.stdout


def test_the_old_name_of_a_key_is_answered_with_the_new_one(workflow):
    workflow.configure(efficiency_limit=0.3)
    answer = workflow.run("-n")
    assert answer.returncode != 0
    assert "efficiency_limit: is now efficiency.limit. Write efficiency: {limit: ...} in its place." in answer.stdout


# Over a finished run --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_values_of_the_command_line_are_those_of_the_file(finished):
    assert finished.counts("--config", "methods={finetune: {lr: 0.1, epochs: 1}}") == {}
    changed = finished.jobs("--config", "methods={finetune: {lr: 0.2, epochs: 1}}")
    assert methods_of(changed) == {"finetune"}


@pytest.mark.slow
def test_limits_of_time_rerun_no_copy(finished):
    assert finished.counts("--config", "max_seconds_per_copy=5") == {}
    shown = {"leaderboard": 1, "report": 1, "all": 1}
    assert finished.counts("--config", "efficiency={exclude: true}") == shown
    assert finished.counts("--config", "efficiency={limit: 0.3}") == {"score": 2, **shown}


@pytest.mark.slow
def test_an_entry_beside_its_file_runs_alone(editable):
    editable.configure(methods={**editable.small["methods"], "twin": {"file": "identity"}})
    assert methods_of(editable.jobs()) == {"twin"}


@pytest.mark.slow
def test_a_checked_method_is_checked_again_only_when_it_changed(editable):
    target = "results/check_identity.json"
    answer = editable.run("--cores", "1", target)
    assert answer.returncode == 0, answer.stdout
    assert "identity: fits the contract; changes parameters: NO" in answer.stdout
    assert editable.counts(target) == {}
    editable.write("methods/identity.py", "def unlearn(model):\n    return model.eval()\n")
    assert editable.counts(target) == {"check": 1}
    editable.path(target).unlink()


@pytest.mark.slow
def test_a_file_elsewhere_reruns_its_own_method_when_it_changes(editable, tmp_path):
    file = tmp_path / "theirs.py"
    file.write_text("from rates import LR\n\n\ndef unlearn(model):\n    return model\n")
    file.with_name("rates.py").write_text("LR = 1\n")
    editable.configure(methods={**editable.small["methods"], "theirs": {"file": str(file)}})
    answer = editable.run("--cores", "2", "results/models/unlearn/theirs/0000-0003.safetensors")
    assert answer.returncode == 0, answer.stdout
    target = "results/models/unlearn/theirs/0000-0003.safetensors"
    assert editable.counts(target) == {}
    file.with_name("rates.py").write_text("LR = 2\n")
    assert editable.counts(target) == {"unlearn": 1}
    editable.path(target).unlink()


def test_a_dump_is_imported_and_scored_and_trains_nothing_of_its_own(workflow):
    workflow.only("finetune")
    workflow.write("theirs.npz", "outputs")
    workflow.configure(methods={"theirs": {"dump": "theirs.npz"}})
    jobs = workflow.jobs("results/score_theirs.json")
    assert {job.rule for job in jobs if "theirs" in str(job.fields)} == {"import_dump", "score"}
    assert sum(job.rule == "import_dump" for job in jobs) == 2
    assert methods_of([job for job in workflow.jobs() if job.rule == "score"]) == {"finetune", "theirs"}
    assert methods_of([job for job in workflow.jobs() if job.rule == "unlearn"]) == {"finetune"}


def test_a_dump_cannot_be_checked(workflow):
    workflow.write("theirs.npz", "outputs")
    workflow.configure(methods={"theirs": {"dump": "theirs.npz"}})
    answer = workflow.run("-n", "results/check_theirs.json")
    assert answer.returncode != 0
    assert "methods.theirs is a dump of outputs: there is no function to check" in answer.stdout
