"""Where the workflow's files lie, and which methods a run finds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import unlearning_metric
from unlearning_metric.config import ConfigError
from unlearning_metric.plan import workflow_files
from unlearning_metric.plan.workflow_files import (
    default_config,
    method_folders,
    methods_of,
    other_workflow,
    workflow_folder,
    workflow_of,
    workflow_parts,
)

REPOSITORY = Path(__file__).resolve().parents[3]


def folder_of_methods(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_in_a_checkout_the_workflow_is_the_checkouts():
    assert workflow_folder() == REPOSITORY
    assert workflow_of(REPOSITORY) == REPOSITORY
    assert not other_workflow(REPOSITORY)


def test_without_a_checkout_it_is_the_copy_in_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(workflow_files, "PACKAGE_ROOT", tmp_path / "site-packages" / "unlearning_metric")
    assert workflow_folder() == tmp_path / "site-packages" / "unlearning_metric" / "workflow_files"
    assert workflow_of(tmp_path) == workflow_folder()


def test_methods_of_the_workflow_of_its_importer_and_of_the_folder_of_the_run_are_found(tmp_path, monkeypatch):
    folder_of_methods(tmp_path / "there" / "methods", finetune="1")
    folder_of_methods(tmp_path / "here" / "methods", mine="2", _helper="3")
    (tmp_path / "here" / "workflow").mkdir()
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    found = methods_of(method_folders(tmp_path / "there", tmp_path / "here" / "workflow"))
    assert sorted(found) == ["finetune", "mine"]
    folder_of_methods(tmp_path / "run" / "methods", mine="2", third="4")
    found = methods_of(method_folders(tmp_path / "there", tmp_path / "here" / "workflow"))
    assert sorted(found) == ["finetune", "mine", "third"]
    assert found["mine"].parent == tmp_path / "here" / "methods"


def test_a_name_that_stands_for_two_methods_is_refused_with_both_files(tmp_path, monkeypatch):
    there = folder_of_methods(tmp_path / "there" / "methods", finetune="1")
    here = folder_of_methods(tmp_path / "here" / "methods", finetune="2")
    with pytest.raises(ConfigError, match=r"(?s)method finetune is both .*there.*and .*here.*Rename your file"):
        methods_of([there, here])


def test_the_configuration_of_the_folder_of_a_run_is_read_before_that_of_the_workflow(tmp_path):
    assert default_config(REPOSITORY, tmp_path) == REPOSITORY / "config" / "config.yaml"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("copies: 8\n")
    assert default_config(REPOSITORY, tmp_path) == tmp_path / "config" / "config.yaml"


def test_rules_of_another_version_are_named_and_own_configurations_and_methods_are_not(tmp_path):
    for part in workflow_parts(REPOSITORY):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).write_bytes((REPOSITORY / part).read_bytes())
    (tmp_path / "config" / "config.yaml").write_text("copies: 8\n")
    (tmp_path / "methods" / "mine.py").write_text("")
    assert not other_workflow(tmp_path)
    (tmp_path / "workflow" / "scripts" / "train.py").write_text("")
    (tmp_path / "workflow" / "rules" / "score.smk").unlink()
    assert other_workflow(tmp_path) == ["workflow/rules/score.smk", "workflow/scripts/train.py"]


def test_the_wheel_takes_every_part_that_a_folder_needs():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {part: f"unlearning_metric/{workflow_files.COPY}/{part}" for part in workflow_files.PARTS}


def test_the_version_stands_in_one_place_and_the_citation_names_it():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    cited = re.search(r"^version: (.*)$", (REPOSITORY / "CITATION.cff").read_text(), re.MULTILINE)[1]
    assert cited == unlearning_metric.__version__


def test_importing_the_package_takes_no_time_and_loads_nothing():
    code = (
        "import sys, time; start = time.perf_counter(); import unlearning_metric; "
        "print(time.perf_counter() - start, *{'numpy', 'pandas', 'torch', 'snakemake', 'numba'} & sys.modules.keys())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert float(said[0]) < 0.5
    assert said[1:] == []
