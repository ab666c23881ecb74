"""Where the workflow's files lie, and which methods a run finds: its own, and those of the folder it runs in.

In a checkout the workflow lies beside ``src``. An installed package holds a copy (see ``pyproject.toml``), from which
``unlearning-metric init`` writes a folder to run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from unlearning_metric.config import listed
from unlearning_metric.keys.origin import PACKAGE_ROOT
from unlearning_metric.plan.plan import find_methods

#: What a folder needs to be run.
PARTS = ("Snakefile", "workflow", "config", "methods", "profiles", "envs")
#: Name of the copy within an installed package.
COPY = "workflow_files"


def workflow_folder() -> Path:
    """Folder with the workflow of this package: the checkout, or the copy that an installed package holds."""
    checkout = PACKAGE_ROOT.parents[1]
    return checkout if (checkout / "Snakefile").is_file() else PACKAGE_ROOT / COPY


def workflow_parts(folder: Path) -> list[Path]:
    """Files of the workflow, relative to its folder, sorted."""
    found = []
    for part in PARTS:
        top = folder / part
        found += [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder) for path in found if "__pycache__" not in path.parts)


def method_folders(workflow: Path, importer: Path) -> list[Path]:
    """Folders whose files are methods: of the workflow, of who imports it, and of the folder it runs in; each once.

    Parameters
    ----------
    workflow : folder of this workflow
    importer : folder of the Snakefile that Snakemake was started with
    """
    beside = [importer.parent / "methods"] if importer.name == "workflow" else []
    found: dict[str, Path] = {}
    for folder in (workflow / "methods", importer / "methods", *beside, Path("methods")):
        if folder.is_dir():
            found.setdefault(os.path.realpath(folder), folder)
    return list(found.values())


def methods_of(folders: Iterable[Path]) -> dict[str, Path]:
    """Method name -> file, of all folders.

    Raises
    ------
    ConfigError
        Where a name stands in two folders, and the files differ: names both.
    """
    methods: dict[str, Path] = {}
    problems = []
    for folder in folders:
        for name, path in find_methods(folder).items():
            if name in methods and methods[name].read_bytes() != path.read_bytes():
                problems.append(
                    f"method {name} is both {methods[name]} and {path}: a name means one method. Rename your file; to "
                    "run the other with other values, give it an entry under methods in the configuration."
                )
            methods.setdefault(name, path)
    if problems:
        raise listed("the folders of methods have", problems)
    return methods
