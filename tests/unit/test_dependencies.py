"""What `make install` installs, as far as nothing that is imported tells it."""

import re
import tomllib
from pathlib import Path


def test_the_packages_of_snakemakes_own_report_are_installed():
    project = tomllib.loads(Path(__file__).resolve().parents[2].joinpath("pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in project["dependencies"]}
    assert {"snakemake", "pygments", "jinja2"} <= names
