"""The checksum inside a npz or parquet file, of every byte of it.

The formats' own checksums leave out what no reader looks at and, in parquet, the footer: a bit that differs there would
stay unseen. A file of checksums beside each would part from it, so it lies where neither format minds.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unlearning_metric.store.opening import opening
from unlearning_metric.store.problems import StoreError, differs, rebuild_hint, unreadable

# The checksum of an npz or parquet file covers every byte of it but those of the checksum, since both formats have
# fields that no reader looks at. It stands where neither format minds: an npz is a zip, which may end with a comment;
# a parquet file is found from its end, so there may be a gap before its footer.
SEAL_BYTES = 32


def seal_place(stream: BinaryIO, suffix: str, seal_bytes: int) -> int:
    """Offset of the checksum in a file that holds ``seal_bytes`` of it."""
    end = stream.seek(0, os.SEEK_END)
    if suffix == ".npz":
        return end - seal_bytes
    stream.seek(max(0, end - 8))
    footer = int.from_bytes(stream.read(4), "little")
    return end - 8 - footer - seal_bytes


def _digest(stream: BinaryIO, place: int, seal_bytes: int) -> str:
    """Checksum of a file without the ``seal_bytes`` at ``place``."""
    content = hashlib.sha256()
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        for part in (view[:place], view[place + seal_bytes :]):
            content.update(part)
            part.release()
    return content.hexdigest()[:SEAL_BYTES]


def seal_file(temporary: Path, suffix: str) -> None:
    """Put its checksum into a file that a library has just written."""
    with open(temporary, "r+b") as stream:
        if suffix == ".npz":
            stream.seek(-2, os.SEEK_END)
            stream.write(SEAL_BYTES.to_bytes(2, "little"))
            stream.flush()
        place = seal_place(stream, suffix, 0)
        seal = _digest(stream, place, 0).encode()
        stream.seek(place)
        rest = stream.read()
        stream.seek(place)
        stream.write(seal + rest)


def check_seal(path: Path | str) -> None:
    """Hold every byte of a file against the checksum in it."""
    with opening(path) as stream:
        place = seal_place(stream, Path(path).suffix, SEAL_BYTES)
        stated = b""
        if place >= 0:
            stream.seek(place)
            stated = stream.read(SEAL_BYTES)
        if re.fullmatch(rb"[0-9a-f]{%d}" % SEAL_BYTES, stated) is None:
            raise StoreError(
                f"{path} has no checksum: it is damaged, or was not written by this workflow. {rebuild_hint(path)}"
            )
        found = _digest(stream, place, SEAL_BYTES)
    if found != stated.decode():
        raise differs(path, found, stated.decode())


@contextmanager
def parsing(path: Path | str) -> Iterator[None]:
    """The reading of a header whose file was not held against its checksum: what does not parse may be damage."""
    try:
        yield
    except (StoreError, MemoryError):
        raise
    except Exception as error:
        # pyarrow raises an OSError without a number where bytes make no sense.
        if getattr(error, "errno", None) is not None:
            raise
        check_seal(path)
        raise unreadable(path, error) from error
