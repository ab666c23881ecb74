"""--sdm conda and --containerize.

A stand-in for conda does with an environment file what conda does with its part for pip: it writes that part beside
the file and runs pip there. Its environments see the packages of this one, without this project.
"""

import importlib.util
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ENVIRONMENT = Path(__file__).resolve().parents[2] / "envs" / "unlearning.yaml"
CONDA = f"""#!{sys.executable}
import json, subprocess, sys, sysconfig, venv
from pathlib import Path
import yaml

arguments = sys.argv[1:]
if arguments == ["info", "--json"]:
    print(json.dumps({{"conda_prefix": str(Path(__file__).parents[1]), "platform": "linux-64"}}))
elif arguments == ["--version"]:
    print("conda 26.1.0")
elif arguments[:1] == ["config"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif arguments[0] != "clean":
    assert arguments[:2] == ["env", "create"], arguments
    file, prefix = (Path(arguments[arguments.index(name) + 1]) for name in ("--file", "--prefix"))
    lines = next(part["pip"] for part in yaml.safe_load(file.read_text())["dependencies"] if isinstance(part, dict))
    wanted = file.with_suffix(".txt")
    wanted.write_text("\\n".join(lines))
    venv.create(prefix, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {{"base": str(prefix)}}))
    site.joinpath("packages.pth").write_text("\\n".join(p for p in sys.path if p.endswith("-packages")))
    pip = [prefix / "bin" / "python", "-m", "pip", "install", "--no-index", "--requirement", wanted.name]
    print(subprocess.run(pip, cwd=file.parent, check=True, capture_output=True, text=True).stdout)
"""


@pytest.fixture
def conda(tmp_path):
    """What to put into the environment of a run that finds the stand-in."""
    folder = tmp_path / "conda" / "bin"
    folder.mkdir(parents=True)
    (folder / "conda").write_text(CONDA)
    (folder / "conda").chmod(0o755)
    (folder / "activate").write_text('export PATH="$1/bin:$PATH"\n')
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def has_the_tested_versions():
    """Whether this environment is that of the file, so that pip has nothing to fetch for it."""
    lines = next(
        part["pip"] for part in yaml.safe_load(ENVIRONMENT.read_text())["dependencies"] if isinstance(part, dict)
    )
    return all(version(name) == wanted for name, wanted in (line.split("==") for line in lines))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this environment has no pip")
@pytest.mark.skipif(not has_the_tested_versions(), reason="other versions are installed than those of constraints.txt")
def test_a_job_runs_in_an_environment_of_the_copied_file_that_lacks_this_package(workflow, conda):
    workflow.write(
        "workflow/scripts/prepare_data.py",
        "import sys\nassert '.snakemake/conda' in sys.prefix\n"
        + workflow.path("workflow/scripts/prepare_data.py").read_text(),
    )
    answer = workflow.run("--sdm", "conda", "--cores", "1", "results/data/dataset.npz", **conda)
    assert answer.returncode == 0, answer.stdout
    kept = workflow.path(".snakemake/conda")
    assert [path.read_bytes() for path in kept.glob("*.yaml")] == [ENVIRONMENT.read_bytes()]


def test_a_containerfile_names_the_file_of_the_environment_and_no_other_path_of_the_folder(workflow, conda):
    answer = workflow.run("--containerize", **conda)
    assert answer.returncode == 0, answer.stdout
    lines = answer.stdout.splitlines()
    copied = [line.split() for line in lines if line.startswith("COPY")]
    assert [source for _, source, _ in copied] == ["envs/unlearning.yaml"]
    assert f"conda env create --prefix {Path(copied[0][2]).parent} --file {copied[0][2]}" in answer.stdout
    assert not [line for line in lines if "../" in line or " -e " in line]
