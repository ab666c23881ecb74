"""Where the workflow's files lie, and which methods a run finds: its own, and those of the folder it runs in.

In a checkout the workflow lies beside ``src``. An installed package holds a copy (see ``pyproject.toml``), from which
``unlearning-metric init`` writes a folder to run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from unlearning_metric.config import Config, listed, load
from unlearning_metric.keys.origin import PACKAGE_ROOT
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan

#: What a folder needs to be run.
PARTS = ("Snakefile", "workflow", "config", "methods", "profiles", "envs")
#: Those of them that must be of the package's version.
CODE = ("Snakefile", "workflow")
#: What jobs import and the light package does not bring.
JOBS_NEED = ("torch", "torchvision", "safetensors", "PIL", "matplotlib", "seaborn", "jinja2")
#: Name of the copy within an installed package.
COPY = "workflow_files"


def absent_packages() -> list[str]:
    """Packages of ``JOBS_NEED`` that are not installed; nothing is imported."""
    return [name for name in JOBS_NEED if find_spec(name) is None]


def absent_message() -> str:
    """What a run needs and is not installed, and what to do; empty where nothing is."""
    absent = absent_packages()
    if not absent:
        return ""
    return (
        f"{', '.join(absent)}: not installed for this Python ({sys.executable}). The package alone scores outputs; to "
        "run the workflow: pip install 'unlearning-metric[all]'."
    )


def timm_message(config: Config) -> str:
    """What to do where the net is one of timm, and that package is not installed; empty elsewhere."""
    if not (config.model.name or "").startswith("timm/") or find_spec("timm") is not None:
        return ""
    return (
        f"model.name: {config.model.name} is a net of timm, which is not installed for this Python "
        f"({sys.executable}): pip install 'unlearning-metric[timm]'. Or set model.name to another net."
    )


def workflow_folder() -> Path:
    """Folder with the workflow of this package: the checkout, or the copy that an installed package holds."""
    checkout = PACKAGE_ROOT.parents[1]
    return checkout if (checkout / "Snakefile").is_file() else PACKAGE_ROOT / COPY


def workflow_of(folder: Path) -> Path:
    """The workflow that runs in a folder: one that lies in it, or else, where it is imported, this package's."""
    return folder if (folder / "workflow" / "rules" / "common.smk").is_file() else workflow_folder()


def default_config(workflow: Path, folder: Path = Path()) -> Path:
    """The configuration that is read where none is named: of the folder that a run is in, or else of the workflow.

    A folder that was opened from a bank has the bank's.
    """
    if (folder / "results" / "bank.json").is_file() and (folder / "config.yaml").is_file():
        return folder / "config.yaml"
    found, common = folder / "config" / "config.yaml", workflow / "config" / "config.yaml"
    return found if found.is_file() and not (common.is_file() and found.samefile(common)) else common


def workflow_parts(folder: Path) -> list[Path]:
    """Files of the workflow, relative to its folder, sorted."""
    found = []
    for part in PARTS:
        top = folder / part
        found += [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder) for path in found if "__pycache__" not in path.parts)


def other_workflow(folder: Path) -> list[str]:
    """Rules and scripts of a folder that are not those of this package, as after an upgrade; none in the package's own.

    What only one of them has counts as well.
    """
    source = workflow_folder()
    if not source.is_dir() or source.samefile(folder):
        return []
    codes = [{part.as_posix() for part in workflow_parts(place) if part.parts[0] in CODE} for place in (source, folder)]
    differ = {name for name in codes[0] & codes[1] if (source / name).read_bytes() != (folder / name).read_bytes()}
    return sorted(differ | (codes[0] ^ codes[1]))


def other_workflow_message(folder: Path) -> str:
    """Warning of a folder whose rules or scripts are not those of this package; empty where they are."""
    differ = other_workflow(folder)
    if not differ:
        return ""
    return (
        f"{folder} holds other rules than the installed package unlearning_metric: {', '.join(differ[:5])}"
        f"{', ...' if len(differ) > 5 else ''}. If you did not edit them, the package is of another version: delete "
        "Snakefile and workflow there, then run unlearning-metric init on the folder."
    )


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


def plan_in(folder: Path, configfiles: Sequence[str] = ()) -> Plan:
    """The plan of the workflow that runs in a folder, by these configurations or the one that is read there by itself.

    Raises
    ------
    ConfigError
        Lists every problem.
    """
    workflow = workflow_of(folder)
    methods = methods_of(method_folders(workflow, folder))
    return Plan(load(configfiles, {}, methods, default_config(workflow, folder)), methods)
