"""README.md: under 150 lines, every link leads somewhere, and every command that it names is run here or elsewhere."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
#: Beginning of a command that no dry run stands for -> file that runs it, and words of it there.
ELSEWHERE = {
    "source .venv/bin/activate": ("tests/e2e/test_guide.py", ".venv/bin/activate"),
    "pip install 'unlearning-metric[all]'": ("tests/package/test_package.py", '"pip", "install"'),
    "unlearning-metric init": ("tests/package/test_package.py", '"init", "new"'),
    "unlearning-metric score": (
        "tests/package/test_package.py",
        '"score", "--retrained", "retrained.npz", "--unlearned"',
    ),
    "make doctor": ("tests/unit/upkeep/test_doctor.py", "doctor"),
}


def commands():
    """Commands in the indented blocks, without their comments."""
    lines = re.findall(r"^    (\S.*)$", README, re.MULTILINE)
    given = (re.sub(r"\s+#.*$", "", line) for line in lines)
    return [line for line in given if re.match(r"(snakemake|make|pip|python|source|unlearning-metric)\b", line)]


def test_it_stays_short():
    assert len(README.splitlines()) < 150


def test_every_link_leads_to_a_file_or_a_section():
    targets = re.findall(r"\]\(([^)#\s]+)", README)
    assert len(targets) > 15
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


def test_every_command_is_run_by_a_test():
    found = commands()
    assert len(found) >= 12
    for command in found:
        if command.startswith("snakemake"):
            continue
        if command.startswith("make ") and command != "make doctor":
            subprocess.run(["make", "-n", *command.split()[1:]], cwd=REPOSITORY, check=True, capture_output=True)
            continue
        file, words = next(entry for start, entry in ELSEWHERE.items() if command.startswith(start))
        assert words in (REPOSITORY / file).read_text(encoding="utf-8"), command


@pytest.mark.parametrize("command", [command for command in commands() if command.startswith("snakemake")])
def test_what_it_tells_snakemake_to_do_can_be_planned(untouched, command):
    block = README.split("say `methods/mine.py`:\n\n")[1].split("\n\nand run")[0]
    untouched.write("methods/mine.py", re.sub(r"^    ", "", block, flags=re.MULTILINE))
    arguments = [part for part in shlex.split(command)[1:] if part != "-n"]
    if "profiles/slurm" in command:
        # The plugin needs no cluster to plan.
        pytest.importorskip("snakemake_executor_plugin_slurm")
    assert untouched.jobs(*arguments)
