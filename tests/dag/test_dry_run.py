"""What a dry run plans."""

import subprocess
import sys

import pytest
import yaml

IDENTITY = "def unlearn(model):\n    return model\n"


def expected_counts(methods, shards, originals=1):
    """Jobs of a whole run from nothing."""
    return {
        "prepare_data": 1,
        "split_data": 1,
        "train_full": originals,
        "train_retain": shards,
        "unlearn": methods * shards,
        "dump_losses": originals + shards + methods * shards,
        "score": methods,
        "leaderboard": 1,
        "report": 1,
        "all": 1,
    }


def wildcard_values(jobs, rule, name):
    return {job.pairs("wildcards")[name] for job in jobs if job.rule == rule}


def outputs(jobs):
    return {path for job in jobs for path in job.files("output")}


def test_bare_dry_run_plans_the_default_experiment(untouched):
    default = yaml.safe_load(untouched.path("config/config.yaml").read_text())
    methods = [path.stem for path in untouched.path("methods").glob("[!_]*.py")]
    scored = set(methods) - set(default.get("skip") or [])

    jobs = untouched.jobs()

    counts = {rule: sum(job.rule == rule for job in jobs) for rule in {job.rule for job in jobs}}
    assert {rule: counts.get(rule) for rule in expected_counts(0, 0)} == expected_counts(len(scored), 1, 1)
    assert wildcard_values(jobs, "score", "method") == scored
    assert not untouched.path("results").exists()


def test_small_experiment_plans_every_shard(workflow):
    jobs = workflow.jobs()

    counts = {rule: sum(job.rule == rule for job in jobs) for rule in {job.rule for job in jobs}}
    assert counts == expected_counts(methods=4, shards=2)
    assert wildcard_values(jobs, "unlearn", "shard") == {"0000-0003", "0004-0007"}
    assert wildcard_values(jobs, "train_full", "shard") == {"0000-0000"}
    assert wildcard_values(jobs, "train_retain", "shard") == {"0000-0003", "0004-0007"}


def test_cores_and_gpus_may_be_given_on_the_command_line(workflow):
    assert workflow.counts("--cores", "8", "--resources", "gpu=4") == expected_counts(4, 2)


def test_one_score_builds_only_its_method(workflow):
    jobs = workflow.jobs("results/score_finetune.json")

    counts = {rule: sum(job.rule == rule for job in jobs) for rule in {job.rule for job in jobs}}
    whole = expected_counts(methods=1, shards=2)
    assert counts == {rule: n for rule, n in whole.items() if rule not in {"leaderboard", "report", "all"}}
    assert wildcard_values(jobs, "unlearn", "method") == {"finetune"}


def test_more_copies_mean_more_shards(workflow):
    assert workflow.counts("--config", "copies=32") == expected_counts(methods=4, shards=8)


def test_more_originals_train_more_originals(workflow):
    several = {"train_full": 3, "unlearn": 4 * 2 * 3, "dump_losses": 3 + 2 + 4 * 2 * 3}
    assert workflow.counts("--config", "originals={count: 3}") == {**expected_counts(methods=4, shards=2), **several}


def test_configfile_stands_in_place_of_the_default_and_not_on_top(workflow):
    workflow.configure(originals={"count": 2}, skip=["retrain"])
    workflow.configure("other.yaml", copies=16)

    # Merged with config/config.yaml there would be two originals and three methods.
    assert workflow.counts("--configfile", "other.yaml") == expected_counts(methods=4, shards=4)


def test_configfile_is_not_completed_from_a_broken_default(workflow):
    workflow.configure("other.yaml")
    workflow.write("config/config.yaml", "copies: [\n")

    assert workflow.counts("--configfile", "other.yaml") == expected_counts(methods=4, shards=2)


def test_configfile_lacking_a_section_is_refused(workflow):
    without = {"copies": 8, "shard_size": 4}
    workflow.write("other.yaml", yaml.safe_dump(without))

    answer = workflow.run("-n", "--configfile", "other.yaml")

    assert answer.returncode != 0
    assert "other.yaml has" in answer.stdout
    assert "training: missing." in answer.stdout


def test_config_on_the_command_line_is_laid_over_the_configfile(workflow):
    workflow.configure("other.yaml")

    assert workflow.counts("--configfile", "other.yaml", "--config", "copies=16") == expected_counts(4, 4)


def test_numbers_within_a_section_are_numbers_on_the_command_line(workflow):
    given = ["--config", "training={epochs: 3, steps: null}", "forget={count: 30}"]
    assert workflow.counts(*given) == expected_counts(methods=4, shards=2)


def test_results_may_go_to_another_folder(workflow):
    jobs = workflow.jobs("--config", "results=other")

    assert outputs(jobs)
    assert all(path.startswith("other/") for path in outputs(jobs))
    assert all(path.startswith("other/") for job in jobs for path in job.files("log"))


def test_workflow_runs_from_another_folder(workflow, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    counts = workflow.counts("-s", str(workflow.path("Snakefile")), cwd=elsewhere)

    assert counts == expected_counts(methods=4, shards=2)


def test_new_method_file_is_found_by_itself(workflow):
    workflow.write("methods/fresh.py", IDENTITY)
    workflow.write("methods/_helper.py", "X = 1\n")

    jobs = workflow.jobs()

    assert wildcard_values(jobs, "score", "method") == {
        "finetune",
        "fresh",
        "identity",
        "reset_head",
        "retrain",
    }
    assert "results/samples_fresh.parquet" in outputs(jobs)


def test_where_every_method_is_skipped_nothing_is_trained_for_a_report_on_none(workflow):
    workflow.configure(skip=["finetune", "identity", "reset_head", "retrain"])
    counts = {"prepare_data": 1, "leaderboard": 1, "report": 1, "all": 1}
    assert workflow.counts() == counts


def test_skipped_method_is_left_out_but_may_be_asked_for(workflow):
    workflow.configure(skip=["retrain", "reset_head"])

    everything = workflow.jobs()
    asked = workflow.jobs("results/score_retrain.json")

    assert wildcard_values(everything, "score", "method") == {"finetune", "identity"}
    assert wildcard_values(everything, "unlearn", "method") == {"finetune", "identity"}
    assert wildcard_values(asked, "score", "method") == {"retrain"}


def test_unknown_method_is_answered_with_the_known_ones(workflow):
    answer = workflow.run("-n", "results/score_finetun.json")

    assert answer.returncode != 0
    assert "Unknown method 'finetun'" in answer.stdout
    assert "finetune, identity, reset_head, retrain" in answer.stdout
    assert "methods/finetun.py" in answer.stdout


@pytest.mark.parametrize("name", ["my-method", "my.method"])
def test_method_file_with_an_unusable_name_is_named(workflow, name):
    workflow.write(f"methods/{name}.py", IDENTITY)

    answer = workflow.run("-n")

    assert answer.returncode != 0
    assert f"methods/{name}.py" in answer.stdout
    assert "letters, digits and underscores" in answer.stdout


@pytest.mark.parametrize(("device", "gpus"), [("cuda", "1"), ("cpu", "0")])
def test_jobs_with_models_ask_for_a_gpu_only_on_cuda(workflow, device, gpus):
    jobs = workflow.jobs("--config", f"device={device}")

    asked = {
        rule: {job.pairs("resources").get("gpu") for job in jobs if job.rule == rule}
        for rule in {job.rule for job in jobs}
    }
    with_models = {"train_full", "train_retain", "unlearn", "dump_losses"}
    assert {rule: asked[rule] for rule in with_models} == {rule: {gpus} for rule in with_models}
    assert all(asked[rule] == {None} for rule in asked.keys() - with_models)
    devices = {job.pairs("resources")["device"] for job in jobs if job.rule in with_models}
    assert devices == {device}


@pytest.mark.parametrize(("visible", "device"), [("", "cpu"), ("0", "cuda")])
def test_device_auto_follows_the_visible_gpus(workflow, visible, device):
    jobs = workflow.jobs("results/models/full/0000-0000.safetensors", "--config", "device=auto",
                         CUDA_VISIBLE_DEVICES=visible)  # fmt: skip

    (train,) = [job for job in jobs if job.rule == "train_full"]
    assert train.pairs("resources")["device"] == device


@pytest.mark.parametrize("ceiling", ["split", "retrain"])
def test_ceiling_retrain_needs_the_second_set_of_models(workflow, ceiling):
    jobs = workflow.jobs("results/score_finetune.json", "--config", f"ceiling={ceiling}")

    second = {f"results/losses/unlearn/retrain/{shard}.parquet" for shard in ("0000-0003", "0004-0007")}
    (score,) = [job for job in jobs if job.rule == "score"]
    used = second & set(score.files("input"))
    assert used == (second if ceiling == "retrain" else set())
    methods = {"finetune", "retrain"} if ceiling == "retrain" else {"finetune"}
    assert wildcard_values(jobs, "unlearn", "method") == methods


def test_parsing_imports_neither_torch_nor_torchvision(workflow, tmp_path):
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name in ("torch", "torchvision"):
        (fakes / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')\n")
        # The trap works: otherwise this test could not fail.
        trapped = subprocess.run(
            [sys.executable, "-c", f"import {name}"],
            env={"PYTHONPATH": str(fakes)},
            capture_output=True,
            text=True,
        )
        assert f"{name} was imported" in trapped.stderr

    assert workflow.counts(PYTHONPATH=str(fakes)) == expected_counts(methods=4, shards=2)


def test_every_profile_says_what_triggers_a_rerun(untouched):
    profiles = sorted(untouched.path("profiles").glob("*/config.yaml"))
    triggers = {path.parent.name: set(yaml.safe_load(path.read_text()).get("rerun-triggers", [])) for path in profiles}

    assert "default" in triggers
    assert triggers == {name: {"mtime", "params", "input", "software-env"} for name in triggers}
    folders = {path.name for path in untouched.path("profiles").iterdir() if path.is_dir()}
    assert set(triggers) == folders


@pytest.mark.parametrize("strategy", ["hardest", "easiest"])
def test_hard_and_easy_examples_are_found_before_the_split(workflow, strategy):
    workflow.configure(forget={"strategy": strategy, "count": 40, "difficulty_models": 4})
    counts = workflow.counts()
    assert (counts["difficulty"], counts["split_data"]) == (1, 1)
    (job,) = [job for job in workflow.jobs("results/data/split.npz") if job.rule == "split_data"]
    assert sorted(job.files("input")) == ["results/data/dataset.npz", "results/data/difficulty.npz"]


def test_no_other_strategy_asks_how_hard_examples_are(workflow):
    assert "difficulty" not in workflow.counts()
