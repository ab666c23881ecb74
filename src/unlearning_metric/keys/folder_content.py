"""Fingerprints of the user's own data: files by their bytes, folders by the names and bytes of their files.

A folder may hold hundreds of thousands of files, and the Snakefile asks each time it is parsed. So what a file's bytes
gave is kept, in the user's folder for temporary files, as long as size and time of change of the file stay.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from unlearning_metric.host.private_folder import PrivateFolderError, private_folder
from unlearning_metric.keys.origin import content_fingerprint, digest

#: A file changed within so many nanoseconds may change again without a new time, so it is read each time.
RECENT = 2_000_000_000


#: Folders that file managers, notebooks, archives and NAS systems put beside data. What begins with a dot is no data
#: either: notebook checkpoints, .DS_Store, ._image.png, .Trash.
STRAY = frozenset(
    {"@eaDir", "#recycle", "@Recycle", "@Recently-Snapshot", "__MACOSX", "__pycache__", "$RECYCLE.BIN",
     "System Volume Information", "lost+found"}
)  # fmt: skip


def is_stray(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's data."""
    return name.startswith(".") or name in STRAY


def files_below(folder: Path | str, skipped: Callable[[str, Path], None] | None = None) -> list[Path]:
    """Every file of the user's below a folder, sorted; none where there is no folder.

    Links are followed, but never back up. What is read from a folder must be what its fingerprint covers, so both ask
    here. `Path.rglob` passes over linked folders, of which subsets of large data sets are often made.

    Parameters
    ----------
    skipped : is told of everything that is passed over: why, and its path
    """
    found: list[Path] = []
    tell = skipped or (lambda why, path: None)

    def walk(place: Path, seen: set[str]) -> None:
        for entry in os.scandir(place):
            path = Path(entry.path)
            if is_stray(entry.name):
                tell("no data of the user's by its name", path)
            elif entry.is_dir():
                if (real := os.path.realpath(path)) in seen:
                    tell("link to a folder above it", path)
                else:
                    walk(path, seen | {real})
            elif entry.is_file():
                found.append(path)
            else:
                tell("link to nothing" if entry.is_symlink() else "neither file nor folder", path)

    if Path(folder).is_dir():
        walk(Path(folder), {os.path.realpath(folder)})
    return sorted(found)


def folder_fingerprint(folder: Path | str) -> str:
    """Fingerprint of every file below a folder: names and bytes count, times do not."""
    folder = Path(folder).resolve()
    cache = _cache_file(folder)
    known = _read(cache)
    found: dict[str, list[int | str]] = {}
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        stat = path.stat()
        stamp = [stat.st_size, stat.st_ctime_ns]
        entry = known.get(name, [])
        found[name] = entry if entry[:2] == stamp else [*stamp, content_fingerprint(path)]
    settled = time.time_ns() - RECENT
    lasting = {name: entry for name, entry in found.items() if int(entry[1]) < settled}
    if lasting != known:
        _write(cache, lasting)
    return digest({name: entry[2] for name, entry in found.items()})


def _cache_file(folder: Path) -> Path | None:
    """Where what is known of a folder is kept; None where no place is this user's alone."""
    try:
        place = private_folder("unlearning-metric-contents")
    except (OSError, PrivateFolderError):
        # Slower each time, not wrong.
        return None
    return place / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:32]}.json"


def _read(cache: Path | None) -> dict[str, list[int | str]]:
    try:
        if cache is None or cache.lstat().st_uid != os.getuid():
            return {}
        return json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(cache: Path | None, entries: dict[str, list[int | str]]) -> None:
    if cache is None:
        return
    # Slower next time, not wrong.
    with suppress(OSError):
        # Of one process alone: several may look at once, and process numbers repeat in containers.
        handle, name = tempfile.mkstemp(dir=cache.parent)
        with open(handle, "w", encoding="utf-8") as stream:
            json.dump(entries, stream)
        os.replace(name, cache)
