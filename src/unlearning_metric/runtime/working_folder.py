"""A working folder of its own for each call of a user's function.

Published code keeps its best weights in ``best.pt`` and reads them back. In one working folder for all, two copies that
run at once would go on with each other's. So each gets a folder that shows what the project's holds: its folders as
links, its files as copies. What is written by a relative path stays in it, and goes with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unlearning_metric.progress import LOGGER
from unlearning_metric.runtime.supervision import scratch_folder

#: Files are copied up to so many bytes in all; the rest are links.
COPIED = 64 << 20

#: The project's folder, while a user's function works in another one.
_home: Path | None = None
#: What was said to be written already.
_told: set[str] = set()


def project_path(path: Path | str) -> Path:
    """A path of the configuration, resolved, whatever folder a user's function works in."""
    return (_home or Path.cwd()).joinpath(path).resolve()


@contextmanager
def own_working_folder(title: str) -> Iterator[None]:
    """Work in a new folder within the block.

    Parameters
    ----------
    title : whose function works there, for the log, such as ``method mine``
    """
    global _home
    outer, before, home = _home, Path.cwd(), _home or Path.cwd()
    folder = Path(scratch_folder())
    shown = _show(home, folder)
    _home = home
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        _home = outer
        _tell(title, folder, shown)
        shutil.rmtree(folder, ignore_errors=True)


def _show(home: Path, folder: Path) -> dict[str, int | None]:
    """Put what one folder holds into another: name -> when a copy was changed, None for a link."""
    shown: dict[str, int | None] = {}
    left = COPIED
    with os.scandir(home) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            place, size = folder / entry.name, entry.stat(follow_symlinks=False).st_size
            if entry.is_file(follow_symlinks=False) and size <= left and os.access(entry.path, os.R_OK):
                shutil.copy(entry.path, place)
                left -= size
                shown[entry.name] = place.stat().st_mtime_ns
            else:
                place.symlink_to(entry.path)
                shown[entry.name] = None
    return shown


def _tell(title: str, folder: Path, shown: dict[str, int | None]) -> None:
    """Say, once a name, what was written into a folder that goes."""
    written = []
    for entry in os.scandir(folder):
        kept = entry.is_symlink() or entry.name not in shown
        if entry.name not in shown or (not kept and entry.stat().st_mtime_ns != shown[entry.name]):
            written.append(entry.name)
    new = sorted({f"{title}/{name}" for name in written} - _told)
    _told.update(new)
    if new:
        LOGGER.info(
            "%s wrote %s into its working folder, which goes with it: each call has its own. To keep files, write them "
            "into a folder that the project has, under a name that holds the seed",
            title, ", ".join(name.removeprefix(f"{title}/") for name in new[:5]),
        )  # fmt: skip
