"""Every profile parses, says what it must, and lets each rule's resources be set. No cluster is needed."""

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = {path.parent.name: path for path in sorted(REPOSITORY.glob("profiles/*/config.yaml"))}
CLUSTERS = sorted(set(PROFILES) - {"default"})
WITH_MODELS = {"difficulty", "train_full", "train_retain", "unlearn", "dump_losses"}
HARDEST = {"strategy": "hardest", "count": 40}
README = (REPOSITORY / "profiles" / "README.md").read_text(encoding="utf-8")


# The README's words for the small configuration.
RUNTIMES = {"30 + 10 a model of the shard": "70", "30 + 10 a model of the measure": "190"}


def resources(jobs, rule):
    (found,) = {tuple(sorted(job.pairs("resources").items())) for job in jobs if job.rule == rule}
    return dict(found)


def test_there_are_four():
    assert set(PROFILES) == {"default", "slurm", "cluster-generic", "kubernetes"}


@pytest.mark.parametrize("name", PROFILES)
def test_it_plans_what_the_default_plans(workflow, name):
    assert workflow.counts("--workflow-profile", f"profiles/{name}") == workflow.counts()


@pytest.mark.parametrize("name", CLUSTERS)
def test_on_a_cluster_jobs_with_models_ask_for_a_gpu_and_no_other_does(workflow, name):
    workflow.configure(forget=HARDEST)
    jobs = workflow.jobs("--workflow-profile", f"profiles/{name}", "--config", "device=auto")

    asked = {job.rule: resources(jobs, job.rule).get("gpu", "0") for job in jobs}
    assert {rule for rule, gpus in asked.items() if gpus == "1"} == WITH_MODELS
    assert {gpus for rule, gpus in asked.items() if rule not in WITH_MODELS} == {"0"}


@pytest.mark.parametrize("name", CLUSTERS)
def test_each_resource_of_a_rule_can_be_set(workflow, name):
    profile = yaml.safe_load(workflow.path(f"profiles/{name}/config.yaml").read_text())
    asked = {"gpu": 2, "mem_mb": 12345, "runtime": 678, "slurm_partition": "big"}
    profile["default-resources"] = {**profile.get("default-resources", {}), "slurm_partition": "small"}
    for rule in ("train_retain", "score"):
        profile["set-resources"][rule] = asked
    profile["set-threads"] = {"train_retain": 3}
    workflow.write(f"profiles/{name}/config.yaml", yaml.safe_dump(profile))

    # A dry run counts the cores of this host, unless it is told otherwise.
    jobs = workflow.jobs("--workflow-profile", f"profiles/{name}", "--cores", "8")

    expected = {name: str(value) for name, value in asked.items()}
    for rule in ("train_retain", "score"):
        assert resources(jobs, rule).items() >= expected.items()
    assert {job.fields.get("threads") for job in jobs if job.rule == "train_retain"} == {"3"}
    assert resources(jobs, "split_data")["slurm_partition"] == "small"
    assert resources(jobs, "train_full")["gpu"] == "1"


@pytest.mark.parametrize("name", PROFILES)
def test_the_readme_explains_every_key(name):
    def keys(value):
        for key, inner in value.items():
            yield key
            if isinstance(inner, dict) and key == "default-resources":
                yield from inner

    explained = set(re.findall(r"`([\w-]+)", README)) | set(re.findall(r"`[\w-]+: (\w+)`", README))
    assert set(keys(yaml.safe_load(PROFILES[name].read_text()))) <= explained


def test_the_readme_states_the_resources_that_the_rules_ask_for(workflow):
    stated = {}
    for line in README.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[2].isdigit():
            for rule in re.findall(r"`(\w+)`", cells[0]):
                stated[rule] = (cells[1] != "none", cells[2], RUNTIMES.get(cells[3], cells[3]))
    workflow.configure(device="cuda", forget=HARDEST)
    jobs = workflow.jobs() + workflow.jobs("results/check_finetune.json")
    workflow.write("mine.safetensors", "")
    workflow.configure(device="cuda", original="mine.safetensors")
    jobs += workflow.jobs("results/models/full/0000-0000.safetensors")
    found = {}
    for job in jobs:
        asked = job.pairs("resources")
        # One original is one model.
        if job.rule not in ("all", "leaderboard", "train_full"):
            found[job.rule] = (asked.get("gpu") == "1", asked["mem_mb"], asked["runtime"])

    assert found == {rule: row for rule, row in stated.items() if rule not in ("train_full", "import_dump")}


def test_a_key_in_a_profile_that_snakemake_does_not_know_is_refused(workflow):
    # So the dry runs above do check the keys.
    profile = workflow.path("profiles/default/config.yaml")
    profile.write_text(profile.read_text() + "no-such-option: 3\n")

    assert workflow.run("-n").returncode != 0
