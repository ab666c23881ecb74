"""README.md, and every command that a page names: planned here, run by a named test, or marked as not run.

A mark is a comment of the page before the block, <!-- not run: why -->, or for all its blocks,
<!-- not run, the whole page: why -->.
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from unlearning_metric.__main__ import command_parser, main

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
GUIDE = "docs/writing-a-method.md"  # tests/e2e/test_guide.py runs it, line by line
PAGES = [
    "README.md", "CONTRIBUTING.md", "config/README.md", "profiles/README.md", "benchmarks/README.md",
    *sorted(f"docs/{path.relative_to(REPOSITORY / 'docs')}" for path in (REPOSITORY / "docs").rglob("*.md")),
]  # fmt: skip
WORDS = (
    r"(snakemake|snakedeploy|make|pip|python|source|unlearning-metric|pkill|rm|touch|git|docker|apptainer|\S*/python)"
)
STARTS = re.compile(rf"([A-Z_]+=\S+ |/usr/bin/time -v )*{WORDS}(\s|$)")
MARK = re.compile(r"<!-- not run(, the whole page)?: \S.*? -->")
#: Beginning of a command that no dry run stands for -> file that runs it, and words of it there.
ELSEWHERE = {
    "source .venv/bin/activate": ("tests/e2e/test_guide.py", ".venv/bin/activate"),
    "pip install": ("tests/package/test_package.py", '"install", "--quiet", "--no-deps"'),
    "make doctor": ("tests/unit/upkeep/test_doctor.py", "doctor"),
    "pkill -f": ("tests/faults/test_killed.py", '"pkill", "-f"'),
    "python workflow/sweep.py": ("tests/e2e/test_several_experiments.py", "workflow/sweep.py"),
    "snakemake --unlock": ("tests/faults/test_killed.py", '"--unlock"'),
    "snakemake --report": ("tests/browser/test_report.py", '"--report"'),
    "snakemake --sdm conda": ("tests/e2e/test_conda.py", '"--sdm", "conda"'),
    "snakemake --containerize": ("tests/e2e/test_conda.py", '"--containerize"'),
    "snakemake --snakefile ../Snakefile": (
        "tests/dag/test_commands_of_pages.py", "test_an_opened_bank_plans_what_its_page_says"
    ),
}  # fmt: skip
#: Command of the package -> the same.
OF_THE_PACKAGE = {
    "init": ("tests/package/test_package.py", '"init", "mine"'),
    "score": ("tests/package/test_package.py", '"score", "--retrained", "retrained.npz", "--unlearned"'),
    "shard-size": ("tests/unit/plan/test_shard_size.py", '"shard-size"'),
    "compare": ("tests/unit/report/test_comparison.py", '"compare"'),
    "bank check": ("tests/package/test_package.py", '"bank", "check"'),
    "bank open": ("tests/dag/test_commands_of_pages.py", '"bank", "open"'),
    "bank make": ("tests/unit/bank/test_score_with_a_bank.py", '"bank", "make"'),
}
#: What stands for a place of the reader's -> a place of the test's.
PLACES = {"/path/to/unlearning-metric/Snakefile": "Snakefile", "/scratch/me/run": "run", "other.yaml": "other.yaml"}


@dataclass(frozen=True)
class Command:
    """A command of a page, on one line, and whether the page marks it as not run."""

    page: str
    text: str
    marked: bool


def commands(page):
    """Commands in indented blocks and in blocks of bash; a mark holds to the next line that belongs to no block."""
    marked, fence, begun, whole = False, False, "", False
    for line in (REPOSITORY / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fence = line == "```bash"
        elif mark := MARK.fullmatch(line.strip()):
            marked, whole = True, whole or bool(mark[1])
        elif line.strip() and not line.startswith("    ") and not fence:
            marked = whole
        elif begun or (STARTS.match(line.strip()) and (fence or line.startswith("    "))):
            text = begun + re.sub(r"\s+#.*$", "", line.strip())
            begun = text.removesuffix("\\") if text.endswith("\\") else ""
            if not begun:
                yield from (Command(page, part, marked) for part in text.split(" && "))


ALL = [command for page in PAGES if page != GUIDE for command in commands(page)]
UNMARKED = sorted({command.text for command in ALL if not command.marked})
PLANNED = sorted(
    {
        re.sub(r" (-n|-p|--cores \d+)\b", "", text)
        for text in UNMARKED
        if text.startswith("snakemake") and not any(text.startswith(start) for start in ELSEWHERE)
    }
)
FILES = [text for text in PLANNED if re.fullmatch(r"snakemake( results/\S+)+", text)]


def is_in(file, words):
    return words in (REPOSITORY / file).read_text(encoding="utf-8")


def test_the_readme_stays_short():
    assert len(README.splitlines()) < 150


def test_every_link_of_the_readme_leads_to_a_file_or_a_section():
    targets = re.findall(r"\]\(([^)#\s]+)", README)
    assert len(targets) > 15
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


def test_commands_are_found_and_marks_are_heeded():
    assert len(UNMARKED) > 40
    assert len([command for command in ALL if command.page == "README.md" and not command.marked]) >= 12
    assert [command.page for command in ALL if command.marked]


def test_every_command_but_snakemakes_is_run_by_a_test_or_marked():
    for text in UNMARKED:
        package = re.match(r"(?:unlearning-metric|python -m unlearning_metric) (.*)", text)
        if package:
            arguments = shlex.split(package[1])
            command_parser().parse_args(arguments)
            name = " ".join(arguments[: 2 if arguments[0] == "bank" else 1])
            assert is_in(*OF_THE_PACKAGE[name]), text
        elif text.startswith("make ") and text != "make doctor":
            subprocess.run(["make", "-n", *text.split()[1:]], cwd=REPOSITORY, check=True, capture_output=True)
        elif not text.startswith("snakemake") or any(text.startswith(start) for start in ELSEWHERE):
            entries = [entry for start, entry in ELSEWHERE.items() if text.startswith(start)]
            assert entries, f"no test runs it, and no mark says so: {text}"
            assert is_in(*entries[0]), text


# Commands that name files alone are planned at once.
@pytest.mark.parametrize(
    "command", [*sorted({*PLANNED} - {*FILES}), " ".join(["snakemake", *(text.split()[1] for text in FILES)])]
)
def test_what_a_page_tells_snakemake_to_do_can_be_planned(untouched, command):
    block = README.split("say `methods/mine.py`:\n\n")[1].split("\n\nand run")[0]
    untouched.write("methods/mine.py", re.sub(r"^    ", "", block, flags=re.MULTILINE))
    untouched.path("run").mkdir()
    untouched.path("data").mkdir()
    images, labels = np.zeros((3000, 32, 32, 3), np.uint8), np.arange(3000) % 10
    np.savez(untouched.path("data/cifar10.npz"), x_train=images, y_train=labels, x_test=images, y_test=labels)
    untouched.write("other.yaml", untouched.path("config/config.yaml").read_text())
    arguments = [str(untouched.path(PLACES[part])) if part in PLACES else part for part in shlex.split(command)[1:]]
    if "profiles/slurm" in command:
        # The plugin needs no cluster to plan.
        pytest.importorskip("snakemake_executor_plugin_slurm")
    assert untouched.jobs(*arguments)


def test_an_opened_bank_plans_what_its_page_says(untouched, monkeypatch, capsys):
    monkeypatch.chdir(untouched.folder)
    assert main(["bank", "open", str(REPOSITORY / "tests" / "banks" / "digits-64.zip"), "mine"]) == 0
    untouched.write("mine/methods/mine.py", "def unlearn(model):\n    return model\n")
    said = [command.text for command in ALL if command.text.startswith("snakemake --snakefile ../Snakefile")]
    assert len(said) == 3
    for text in said:
        made = untouched.counts(*shlex.split(text)[1:], cwd=Path(os.getcwd()) / "mine")
        assert "train_retain" not in made
        assert made
