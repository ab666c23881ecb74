"""The workflow in another one: by module, by include, fetched from a repository; and run in a folder apart."""

import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
IDENTITY = "def unlearn(model):\n    return model\n"
MODULE = """
configfile: "own.yaml"
module um:
    snakefile: {snakefile}
    config: config["unlearning"]
use rule * from um as um_*
"""


@pytest.fixture
def project(tmp_path, workflow):
    """A folder beside the workflow, with a configuration of its own, where a method of its own lies."""
    folder = tmp_path / "project"
    (folder / "methods").mkdir(parents=True)
    (folder / "methods" / "mine.py").write_text(IDENTITY)
    own = {"other": 1, "unlearning": {**workflow.small, "skip": ["finetune", "reset_head", "retrain"]}}
    (folder / "own.yaml").write_text(yaml.safe_dump(own))
    workflow.project = folder
    return workflow


def planned(workflow, snakefile, *arguments, **environment):
    """Jobs of a dry run in the project's folder."""
    (workflow.project / "Snakefile").write_text(snakefile)
    return workflow.jobs("--cores", "1", *arguments, cwd=workflow.project, **environment)


def methods_of(jobs, rule):
    return {job.pairs("wildcards")["method"] for job in jobs if job.rule == rule}


def test_a_module_runs_with_the_importers_methods_and_configuration(project):
    jobs = planned(project, MODULE.format(snakefile=f'"{project.folder}/Snakefile"'))
    assert methods_of(jobs, "um_score") == {"identity", "mine"}
    assert jobs[-1].rule == "um_all"


def test_a_prefix_puts_the_results_below_it_and_a_rule_of_the_importers_stays_the_first(project):
    first = 'rule board:\n    input: "there/results/leaderboard.json"\n    output: "board.txt"\n    shell: "true"\n'
    snakefile = first + MODULE.format(snakefile=f'"{project.folder}/Snakefile"\n    prefix: "there"')
    jobs = planned(project, snakefile)
    assert jobs[-1].rule == "board"
    made = [path for job in jobs if job.rule != "board" for path in job.files("output")]
    assert made
    assert all(path.startswith("there/results/") for path in made)


def test_a_method_of_both_folders_is_refused_with_both_names(project):
    (project.project / "methods" / "finetune.py").write_text(IDENTITY)
    (project.project / "Snakefile").write_text(MODULE.format(snakefile=f'"{project.folder}/Snakefile"'))
    answer = project.run("-n", "--cores", "1", cwd=project.project)
    assert answer.returncode != 0
    assert "method finetune is both" in answer.stdout


def test_a_mistake_in_the_modules_configuration_names_the_module(project):
    (project.project / "Snakefile").write_text(
        MODULE.format(snakefile=f'"{project.folder}/Snakefile"').replace('config["unlearning"]', "config")
    )
    answer = project.run("-n", "--cores", "1", cwd=project.project)
    assert answer.returncode != 0
    assert "the config of module um has" in answer.stdout


def test_an_including_snakefile_runs_the_workflow(project):
    workflow_config = project.project / "config" / "config.yaml"
    workflow_config.parent.mkdir()
    workflow_config.write_text(yaml.safe_dump({**project.small, "skip": ["finetune"]}))
    jobs = planned(project, f'include: "{project.folder}/Snakefile"\n', "all")
    assert methods_of(jobs, "score") == {"identity", "mine", "reset_head", "retrain"}


def test_a_run_in_another_folder_leaves_a_read_only_checkout_alone(project):
    before = {path for path in project.folder.rglob("*") if "__pycache__" not in path.parts}
    project.folder.chmod(0o555)
    answer = project.run("-n", "--snakefile", f"{project.folder}/Snakefile", "--directory", str(project.project))
    project.folder.chmod(0o755)
    assert answer.returncode == 0, answer.stdout
    assert "results/score_mine.json" in answer.stdout
    assert {path for path in project.folder.rglob("*") if "__pycache__" not in path.parts} == before


def test_what_snakedeploy_writes_for_a_tag_runs_with_the_installed_packages_methods(project, tmp_path, monkeypatch):
    """The tag of a repository, here one on this disk."""
    deploy = pytest.importorskip("snakedeploy.deploy")
    for command in (
        ["init", "--quiet", str(project.folder)],
        ["-C", str(project.folder), "add", "--all"],
        ["-C", str(project.folder), "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "x"],
        ["-C", str(project.folder), "tag", "v1"],
        ["clone", "--quiet", "--bare", str(project.folder), str(tmp_path / "hub" / "org" / "um.git")],
    ):
        subprocess.run(["git", *command], check=True)
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/hub/.insteadOf",
           "GIT_CONFIG_VALUE_0": "https://github.com/", "XDG_CACHE_HOME": str(tmp_path / "cache")}  # fmt: skip
    for name, value in git.items():
        monkeypatch.setenv(name, value)
    with deploy.WorkflowDeployer("https://github.com/org/um", project.project, tag="v1") as written:
        written.deploy("")
    skipped = sorted({path.stem for path in (REPOSITORY / "methods").glob("[!_]*.py")} - {"identity"})
    own = yaml.safe_dump({**project.small, "methods": {}, "skip": skipped})
    (project.project / "config" / "config.yaml").write_text(own)
    jobs = project.jobs("--cores", "1", cwd=project.project, **git)
    assert methods_of(jobs, "score") == {"identity", "mine"}
