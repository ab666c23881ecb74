"""What a run hands to its jobs: the plan that it made and the code that it was made with.

Jobs start hours after the run, on a cluster from a Snakefile that is read anew. Whatever was edited since, they keep to
the plan: the configuration and the keys are those of the run, and a job whose code or whose user's files differ stops.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_metric.keys.origin import PACKAGE_ROOT, file_fingerprint
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import INPUT_KEYS
from unlearning_metric.plan.workflow_files import COPY
from unlearning_metric.progress import job_log
from unlearning_metric.store.files import StoreError, write_json
from unlearning_metric.store.stored import Stored, StoredFiles
from unlearning_metric.upkeep.current import made_from
from unlearning_metric.upkeep.rebuild import RefusalError
from unlearning_metric.user_code.contract import EditedError

#: Where a run keeps its plan, within the results folder; beside the logs, which no run reads.
FOLDER = "logs/plans"
#: Key of the plans in that file, by module, which Snakemake hands to the jobs of a cluster as their configuration.
HANDED = "plan_of_the_run"


def code_files(package: Path, scripts: Path) -> dict[str, Path]:
    """Name -> file, of everything of the package and the rules' scripts that a job may run or read."""
    found = {}
    for root, prefix in ((package, package.name), (scripts, "scripts")):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                found[f"{prefix}/{path.relative_to(root).as_posix()}"] = path
    return found


def code_record(scripts: Path | str) -> dict[str, tuple[str, str]]:
    """File -> digest of its bytes and, blind to comments and formatting, of its code; of this package and scripts."""
    files = code_files(PACKAGE_ROOT, Path(scripts))
    return {name: (_digest(path), _code_digest(path)) for name, path in files.items()}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _code_digest(path: Path) -> str:
    return file_fingerprint(path) if path.suffix == ".py" else _digest(path)


def _differ(wanted: tuple[str, str], path: Path) -> bool:
    content, code = wanted
    return _digest(path) != content and _code_digest(path) != code


def edited_code(record: Mapping[str, tuple[str, str]], scripts: Path | str) -> list[str]:
    """Files of this package and the scripts whose code is not what was recorded, or that are gone."""
    files = code_files(PACKAGE_ROOT, Path(scripts))
    return sorted(name for name, wanted in record.items() if name not in files or _differ(wanted, files[name]))


def other_code(checkout: Path | str) -> list[str]:
    """Files of a checkout's package that are not those of the package that this Python imported; none without one."""
    source = Path(checkout, "src", PACKAGE_ROOT.name)
    if not source.is_dir() or source.resolve() == PACKAGE_ROOT:
        return []
    imported, beside = _modules(PACKAGE_ROOT), _modules(source)
    differ = (
        name for name in imported.keys() & beside.keys()
        if _differ((_digest(beside[name]), _code_digest(beside[name])), imported[name])
    )  # fmt: skip
    return sorted({*differ, *(imported.keys() ^ beside.keys())})


def _modules(package: Path) -> dict[str, Path]:
    """Path within a package -> file; without the copy of the workflow, which an installed package alone holds."""
    modules = {path.relative_to(package): path for path in package.rglob("*.py")}
    return {name.as_posix(): path for name, path in modules.items() if name.parts[0] != COPY}


def plan_file(results: str, module: str = "") -> Path:
    """A file of this run's own for its plan."""
    name = "-".join([time.strftime("%Y%m%dT%H%M%S", time.gmtime()), str(os.getpid()), *filter(None, [module])])
    return Path(results, FOLDER, f"{name}.json")


def write_plan(path: Path, plan: Plan, scripts: Path, module: str = "") -> None:
    """Write what the jobs of a run keep to.

    Parameters
    ----------
    module : name under which another workflow imports this one; several may, and jobs read all their plans as one
    """
    handed = {module: {"plan": plan.record(), "file": str(path.absolute())}}
    write_json(path, {HANDED: handed, "code": code_record(scripts), "scripts": str(scripts.resolve())})


def refuse_other_package(checkout: Path | str) -> None:
    """Stop where a checkout's own package is not the code that this Python imports.

    Raises
    ------
    RefusalError
        Names both, and the files that differ.
    """
    found = other_code(checkout)
    if found:
        raise RefusalError(
            f"This Python imports unlearning_metric from {PACKAGE_ROOT}, whose code differs from that of this "
            f"checkout, {Path(checkout, 'src', PACKAGE_ROOT.name)} ({', '.join(found[:5])}"
            f"{', ...' if len(found) > 5 else ''}): what stands there would not be what runs. Use this checkout's own "
            "environment: make install, then source .venv/bin/activate."
        )


def refuse_other_code(path: Path | str) -> None:
    """Stop a job whose code is not that of the run that planned it.

    Raises
    ------
    EditedError
        Names the files.
    """
    record = json.loads(Path(path).read_text(encoding="utf-8"))
    found = edited_code(record["code"], record["scripts"])
    if found:
        raise EditedError(
            f"the package unlearning_metric was edited since this run began ({', '.join(found[:5])}"
            f"{', ...' if len(found) > 5 else ''}), and results must not mix two versions of it. Start the run again: "
            "what is finished is kept, and what the edit changes is made anew. Or take the edit back first."
        )


def settle_times(files: Iterable[str]) -> None:
    """Give files of results whose time lies in the future, by a clock that was wrong or an archive, the time of now.

    Snakemake deletes what a job made where it seems to be older than what it was made from.

    Raises
    ------
    StoreError
        If the time cannot be set: before the job's work, not after it.
    """
    for path in files:
        try:
            if os.stat(path).st_mtime > time.time():
                os.utime(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(
                f"{path} has a time in the future and belongs to somebody else ({error.strerror}): Snakemake would "
                f"delete what is made from it. Let its owner run: touch {path}"
            ) from error


@dataclass(frozen=True)
class Call:
    """What the function of a job is called with.

    Attributes
    ----------
    inputs : name -> what it reads: `Stored` or `StoredFiles` where the step tells the key, else a path or a list
    told : what the step tells its job; and ``provenance``: ``key`` and ``origin`` of what it makes, and ``made_from``,
        the contents of its inputs
    """

    inputs: dict[str, Any]
    told: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """Both, by name."""
        return {**self.inputs, **self.told}


@contextmanager
def job(snakemake: Any) -> Iterator[Call]:
    """Around the work of a job: its log, and that its code is the run's.

    Parameters
    ----------
    snakemake : what Snakemake hands to a script; its ``params`` are ``key`` and ``step``
    """
    step = snakemake.params.step
    with job_log(snakemake.log[0], snakemake.params.key):
        # Not there where a user runs the command of a single job by hand.
        if Path(step["plan"]).exists():
            refuse_other_code(step["plan"])
        files = [str(path) for path in snakemake.input]
        settle_times(files)
        told = dict(step["arguments"])
        keys = told.pop(INPUT_KEYS, {})
        inputs = {name: _input(found, keys.get(name)) for name, found in snakemake.input.items()}
        provenance = {**step["provenance"], "made_from": made_from(step["results"], files)}
        yield Call(inputs, {**told, "provenance": provenance})


def _input(found: Any, key: str | None) -> Any:
    if isinstance(found, str):
        return str(found) if key is None else Stored(str(found), key)
    paths = [str(path) for path in found]
    return paths if key is None else StoredFiles(paths, key)
