"""What an installation brings, as far as nothing that is imported tells it."""

import re
import tomllib
from pathlib import Path

import yaml

from unlearning_metric.plan.workflow_files import JOBS_NEED

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads(REPOSITORY.joinpath("pyproject.toml").read_text())["project"]
#: Name of a package in Python, where it is not that of its distribution.
IMPORTED_AS = {"pillow": "PIL"}


def names(requirements):
    return {re.match(r"[\w-]+", line)[0].lower() for line in requirements}


def extra(name):
    """Packages of an extra, those of the extras that it names among them."""
    found = set()
    for line in PROJECT["optional-dependencies"][name]:
        own = re.match(r"unlearning-metric\[(.*)\]", line)
        found |= {package for part in own[1].split(",") for package in extra(part)} if own else names([line])
    return found


def pins():
    lines = REPOSITORY.joinpath("constraints.txt").read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))


def test_the_packages_of_snakemakes_own_report_are_installed():
    assert {"snakemake", "pygments", "jinja2"} <= names(PROJECT["dependencies"]) | extra("all")


def test_what_jobs_need_is_what_the_light_core_leaves_out():
    heavy = extra("train") | extra("report")
    assert {IMPORTED_AS.get(name, name) for name in heavy} == set(JOBS_NEED)
    assert not (heavy | extra("workflow")) & names(PROJECT["dependencies"])


def test_make_install_installs_everything():
    assert "--editable '.[all]'" in REPOSITORY.joinpath("Makefile").read_text()


def test_the_conda_environment_holds_the_tested_versions_of_all_that_jobs_import_and_names_no_path():
    environment = yaml.safe_load(REPOSITORY.joinpath("envs", "unlearning.yaml").read_text())
    lines = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    wanted = names(PROJECT["dependencies"]) | extra("train") | extra("report")
    # Snakemake copies the file elsewhere and runs pip there.
    assert lines == [f"{name}=={pins()[name]}" for name in sorted(wanted)]
