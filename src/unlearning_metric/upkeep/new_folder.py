"""A folder in which Snakemake runs this workflow, written from the installed package: `unlearning-metric init`."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearning_metric.errors import UserError
from unlearning_metric.plan.workflow_files import workflow_folder, workflow_parts


class FolderError(UserError, OSError):
    """A folder that cannot be written to."""


@dataclass(frozen=True)
class Written:
    """What was done to a folder.

    Attributes
    ----------
    new : files that were written, relative to it
    kept : files that were there and differ from the package's; they stay as they are
    """

    new: Sequence[Path]
    kept: Sequence[Path]


def write_folder(folder: Path | str) -> Written:
    """Write what of the workflow is not in a folder yet. Files that are there are never touched.

    Raises
    ------
    FolderError
        Says what could not be written.
    """
    folder, source = Path(folder), workflow_folder()
    new, kept = [], []
    try:
        for part in workflow_parts(source):
            target = folder / part
            if target.exists():
                kept += [] if filecmp.cmp(source / part, target, shallow=False) else [part]
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, target)
            shutil.copymode(source / part, target)
            # An installed package may be write-protected; what is written here is the user's to edit.
            target.chmod(target.stat().st_mode | 0o200)
            new.append(part)
    except OSError as error:
        raise FolderError(
            f"{error.filename or folder} cannot be written: {error.strerror}. Name another folder."
        ) from error
    return Written(new, kept)
