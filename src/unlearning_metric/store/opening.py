"""Opening files that anybody may have put there: what the system refuses is no damage."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unlearning_metric.host.memory import too_large
from unlearning_metric.store.problems import ForeignError, StoreError, UnreadableError, damaged, unreadable

#: Beyond them a header, or a document or page, is none of ours. The first is what safetensors allows.
HEADER_BYTES = 100_000_000
TEXT_BYTES = 500_000_000


@contextmanager
def opening(path: Path | str) -> Iterator[BinaryIO]:
    """A file to read; what the system refuses is no damage."""
    try:
        # A pipe would be waited for, and a device may have no end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ForeignError(f"{path} is no regular file: this workflow did not write it. Delete it and run again.")
        with open(path, "rb") as stream:
            yield stream
    except (OSError, MemoryError) as error:
        raise unreadable(path, error) from error


@contextmanager
def sound(path: Path | str) -> Iterator[None]:
    """The reading of a file that fits its checksum: what goes wrong is no damage."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def check_size(path: Path | str, needed: int, unpacked: int | None = None) -> None:
    """Refuse, before it is taken, more memory than there is or than a file of this size should need.

    Parameters
    ----------
    needed : bytes in memory at once
    unpacked : bytes of all that it holds, where that is more
    """
    reason = too_large(path, needed, needed if unpacked is None else unpacked)
    if reason is not None:
        raise UnreadableError(
            f"{path} is not read: {reason}. Free memory where that is what is short; delete the file if it comes from "
            "somebody else."
        )


def is_there(path: Path | str) -> bool:
    """Whether something lies under a path, as far as this user may look: what may not be looked at is not missing."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_text(path: Path | str) -> str:
    """A file of UTF-8, whole."""
    with opening(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > TEXT_BYTES:
            raise ForeignError(f"{path} is {size / 1e9:.2f} GB of text: this workflow did not write it. Delete it.")
        content = stream.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise damaged(path, f"it is no text ({error})") from error
