"""README.md: its commands are run as they stand there, in their order, beside the results of a small run."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from unlearning_metric.metrics.challenge import challenge_score

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
#: Command -> what it says here.
HERE = {
    # The second one, which rebuilds nothing: the first is what CI's installation and the small run are.
    "make run": "Nothing to be done",
    "source .venv/bin/activate": "",
    "snakemake results/check_mine.json": "check",
    "snakemake results/score_mine.json": "mine",
    "snakemake -n": "results/leaderboard.json",
    "snakemake results/score_finetune.json": "Nothing to be done",
    "snakemake --configfile config/digits_all.yaml": "| mine",
    "snakemake --cores 8 --resources gpu=4": "Nothing to be done",
    "make doctor": "0 missing, 0 stale, 0 damaged, 0 unreadable, 0 foreign",
}
#: Command -> file that runs it, and words of it there.
ELSEWHERE = {
    "make test": (".ci/run", "lint test-package docs test-runs pytest"),
    "snakemake --config copies=128 results=results128": (
        "tests/e2e/test_growing.py", '"--config", "copies=16", "results=whole"'
    ),
    "snakemake --workflow-profile profiles/slurm": ("tests/cluster/test_slurm.py", '"--workflow-profile", f"profiles/'),
    "pip install 'unlearning-metric[all]'": ("tests/package/test_package.py", '"install", "--quiet", "--no-deps"'),
    "unlearning-metric init mine": ("tests/package/test_package.py", '"init", "mine"'),
    "unlearning-metric score --retrained retrained.npz --unlearned mine.npz": (
        "tests/package/test_package.py", '"score", "--retrained", "retrained.npz", "--unlearned", "mine.npz"'
    ),
}  # fmt: skip


def blocks():
    """Indented blocks, as text."""
    return [textwrap.dedent(block) for block in re.findall(r"\n\n((?:    .*\n|\n(?=    ))+)", README)]


def commands():
    lines = [line for block in blocks() for line in block.splitlines()]
    found = [re.match(r"(?:make|source|snakemake|pip|unlearning-metric) .*?(?=\s+#|$)", line) for line in lines]
    return [command[0] for command in found if command]


def block_with(words):
    (block,) = [block for block in blocks() if words in block]
    return block


@pytest.fixture
def clone(finished, tmp_path):
    """A small run in a clone of its own that `make install` has set up."""
    folder = shutil.copytree(finished.folder, tmp_path / "clone")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(REPOSITORY / name, folder)
    (folder / ".venv" / "bin").mkdir(parents=True)
    for program in ("python", "snakemake"):
        path = folder / ".venv" / "bin" / program
        path.write_text(f'#!/bin/sh\nexec {Path(sys.executable).with_name(program)} "$@"\n')
        path.chmod(0o755)
    (folder / ".venv" / "bin" / "activate").write_text(f'PATH="{folder}/.venv/bin:$PATH"\n')
    for mark in ("created", "installed"):
        (folder / ".venv" / mark).touch()
    # What the catalogue's configuration makes here is the board of all methods.
    shutil.copy2(folder / "config" / "config.yaml", folder / "config" / "digits_all.yaml")
    return folder


@pytest.mark.slow
def test_the_commands_run_and_say_what_they_are_for(clone, finished):
    said, before = {}, ""
    for command in (command for command in commands() if command not in ELSEWHERE):
        if "mine" in command:
            (clone / "methods" / "mine.py").write_text(block_with("def unlearn(model, retain_loader"))
        if command.startswith("source"):
            before = f"{command} && "
        answer = subprocess.run(
            ["bash", "-e", "-c", before + command], cwd=clone, env=finished.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stdout
        said[command] = answer.stdout
    assert list(said) == list(HERE)
    assert {command: text for command, text in said.items() if HERE[command] not in text} == {}


def test_commands_that_are_not_run_here_are_run_by_another_test():
    assert {*commands()} == {*HERE, *ELSEWHERE}
    for command, (file, words) in ELSEWHERE.items():
        assert words in (REPOSITORY / file).read_text(encoding="utf-8"), command
    # What CI runs in its stead.
    assert "\ntest: lint pytest\n" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_the_functions_that_it_imports_take_the_arrays_that_it_names():
    draws = np.random.default_rng(0)
    names = {"retrained": draws.normal(0, 1, (16, 10)), "unlearned": draws.normal(0.5, 1, (16, 10))}
    *before, call = block_with("challenge_score(retrained").strip().splitlines()[1:]
    exec("\n".join(before), names)
    assert eval(call, names) == challenge_score(names["retrained"], names["unlearned"]) > 0
    assert {"challenge_epsilons", "heldout", "klom", "ulira"} <= names.keys()
