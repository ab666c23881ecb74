"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path

from unlearning_metric.store.problems import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_atomically(path: Path | str, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary path)``, flush to disk, then rename to ``path``.

    Raises
    ------
    StoreError
        If the disk is full. What stood under ``path`` stays.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        write(temporary)
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        _remove_left_behind(path)
    except Exception as error:
        # Each library wraps the system's error in one of its own.
        if getattr(error, "errno", None) in _FULL or "No space left" in str(error):
            raise StoreError(
                f"{path} cannot be written: the disk that holds {path.parent} is full. Nothing that was there is "
                "lost. Make room, then run again; only what is missing is made."
            ) from error
        if isinstance(error, OSError):
            raise StoreError(
                f"{path} cannot be written ({type(error).__name__}: {error}). Nothing that was there is lost. Mend "
                "that, or name another folder, then run again."
            ) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A new, empty file beside ``path``, as readable as the umask allows, named after the process that writes it."""
    name = f".{path.name}.{_process_space()}-{os.getpid()}.{secrets.token_hex(4)}.tmp"
    temporary = path.with_name(name)
    # With its mode from the start: not every file system lets one change it.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


@cache
def _process_space() -> str:
    """What tells whose process numbers these are: of this host since it started, and of this container."""
    known = [os.uname().nodename]
    reads: tuple[Callable[[], str], ...] = (
        Path("/proc/sys/kernel/random/boot_id").read_text,
        lambda: os.readlink("/proc/self/ns/pid"),
    )
    for read in reads:
        try:
            known.append(read())
        except OSError:
            continue
    return hashlib.sha256("".join(known).encode()).hexdigest()[:8]


_DAY = 24 * 3600


def _remove_left_behind(path: Path) -> None:
    """Remove what killed jobs left of the file just written. What another job may be writing at this moment stays."""
    now = path.stat().st_mtime
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        space, _, process = left.name.removeprefix(f".{path.name}.").partition(".")[0].partition("-")
        try:
            # Of a writer on another host nothing is known but when it last wrote, by the clock of the file system.
            over = not _runs(int(process)) if space == _process_space() else now - left.stat().st_mtime > _DAY
            if over:
                left.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)
