"""The reports of docs/gallery/, made anew: `make gallery`.

The digits' is that of `make run`, where it ran. CIFAR-10's takes the command that docs/gallery.md states, and the
images in data/cifar10.npz; it is left alone where they are not there. What a run leaves in results_gallery_cifar10/
is kept, so that a report of another form needs no training.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
GALLERY = REPOSITORY / "docs" / "gallery"


def run(*command: str, folder: Path = REPOSITORY) -> None:
    """A module of this Python with its arguments; what it prints goes to the terminal."""
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True)


def digits() -> None:
    """The report of the default experiment."""
    report = REPOSITORY / "results" / "report.html"
    if report.is_file():
        shutil.copyfile(report, GALLERY / "digits-report.html")
    else:
        print("docs/gallery/digits-report.html stays: there is no results/report.html (make run)")


def cifar10() -> None:
    """The report of the command that the page states."""
    page = (REPOSITORY / "docs" / "gallery.md").read_text(encoding="utf-8")
    stated = re.search(r"^    (snakemake (?:.*\\\n)*.*)$", page, re.MULTILINE)[1].replace("\\\n", " ")
    run(*shlex.split(stated))
    results = re.search(r"\bresults=(\S+)", stated)[1]
    shutil.copyfile(REPOSITORY / results / "report.html", GALLERY / "cifar10-report.html")


if __name__ == "__main__":
    digits()
    if (REPOSITORY / "data" / "cifar10.npz").is_file():
        cifar10()
    else:
        print("docs/gallery/cifar10-report.html stays: there is no data/cifar10.npz (see config/cifar10_cpu.yaml)")
