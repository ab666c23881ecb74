"""The package as others get it: built, checked, installed into an empty environment without PyTorch, and used there."""

import os
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement

import unlearning_metric

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "torchvision", "snakemake", "matplotlib", "seaborn")


def run(*command, folder, **environment):
    answer = subprocess.run(
        [str(part) for part in command], cwd=folder, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Folder with a source distribution and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, REPOSITORY, folder=out)
    return out


@pytest.fixture(scope="session")
def wheel(built):
    return next(built.glob("*.whl"))


def required(requirements):
    """Distributions of this environment that fulfil requirements without extras, and what those require."""
    found, wanted = {}, list(requirements)
    while wanted:
        requirement = Requirement(wanted.pop())
        if requirement.name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found[requirement.name] = metadata.distribution(requirement.name)
            wanted += found[requirement.name].requires or []
    return found.values()


def site_packages(folder):
    return next(folder.glob("lib/python*/site-packages"))


@pytest.fixture(scope="session")
def light(wheel, tmp_path_factory):
    """bin/ of an environment that holds what a plain installation brings, and nothing else.

    What the wheel requires is not fetched again: links to the packages of this environment stand for it, which pip
    holds against every requirement.
    """
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder, with_pip=False, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", wheel, folder=folder)
    site = site_packages(folder)
    plain = next(metadata.distributions(name="unlearning-metric", path=[str(site)]))
    for found in required(plain.requires):
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            (site / top).symlink_to(found.locate_file(top))
    run(*pip, "check", folder=folder)
    return folder / "bin"


def test_both_files_pass_the_index_checks_and_have_the_packages_version(built, wheel):
    files = sorted(built.iterdir(), key=lambda path: path.suffix)
    assert [path.suffix for path in files] == [".gz", ".whl"]
    assert all(f"-{unlearning_metric.__version__}" in path.name for path in files)
    said = run(sys.executable, "-m", "twine", "check", "--strict", *files, folder=built)
    assert said.count("PASSED") == 2


@pytest.mark.slow
def test_the_wheel_holds_the_workflow_and_a_folder_from_it_runs(wheel, light, workflow, tmp_path):
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "__pycache__" in name or "tests/" in name]
    # With PyTorch and Snakemake, and this package as it is installed there: what it compiles serves the other tests.
    site = str(site_packages(light.parent))
    run(sys.executable, "-m", "unlearning_metric", "init", "mine", folder=tmp_path, PYTHONPATH=site)
    mine = tmp_path / "mine"
    snakemake = (sys.executable, "-m", "snakemake")
    planned = run(*snakemake, "-n", folder=mine, PYTHONPATH=site)
    assert "results/score_finetune.json" in planned
    assert "other rules than the installed package" not in planned
    # As it stands it is the default experiment, which takes minutes.
    for path in mine.glob("methods/[!_]*.py"):
        if path.stem != "identity":
            path.unlink()
    (mine / "config" / "config.yaml").write_text(yaml.safe_dump({**workflow.small, "shard_size": 8, "methods": {}}))
    assert "Leaderboard: results/leaderboard.md" in run(*snakemake, folder=mine, PYTHONPATH=site)


def test_a_plain_installation_has_neither_pytorch_nor_snakemake_and_is_imported_at_once(light):
    code = (
        "import importlib.util, time; start = time.perf_counter(); import unlearning_metric; "
        "seconds = time.perf_counter() - start; "
        f"print(seconds, *[name for name in {HEAVY} if importlib.util.find_spec(name)])"
    )
    said = run(light / "python", "-c", code, folder=light).split()
    assert float(said[0]) < 0.5
    assert said[1:] == []


def test_its_score_ranks_a_method(light, tmp_path):
    draws = np.random.default_rng(0)
    np.savez(tmp_path / "retrained.npz", confidence=draws.normal(0, 1, (16, 10)))
    np.savez(tmp_path / "mine.npz", confidence=draws.normal(0.2, 1, (16, 10)))
    command = ("score", "--retrained", "retrained.npz", "--unlearned", "mine.npz")
    said = run(light / "unlearning-metric", *command, folder=tmp_path)
    assert "| mine" in said
    assert (tmp_path / "score_mine.json").is_file()


def test_its_bank_check_reads_a_whole_bank(light, tmp_path):
    said = run(
        light / "unlearning-metric", "bank", "check", REPOSITORY / "tests" / "banks" / "digits-64.zip", folder=tmp_path
    )
    assert "every byte fits" in said


def test_its_init_says_what_a_run_needs_beside_it(light, tmp_path):
    said = run(light / "unlearning-metric", "init", "new", folder=tmp_path)
    assert "pip install 'unlearning-metric[all]'" in said
    assert "58 missing" in run(light / "unlearning-metric", "doctor", folder=tmp_path / "new")
