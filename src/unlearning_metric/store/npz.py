"""Arrays and a header in a npz file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unlearning_metric.store.atomic import write_atomically
from unlearning_metric.store.header import HEADER, check_key, checked_header, header_text
from unlearning_metric.store.opening import HEADER_BYTES, check_size, sound
from unlearning_metric.store.problems import ForeignError
from unlearning_metric.store.seal import check_seal, parsing, seal_file


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and a JSON header as one compressed npz."""
    stated = {**header, "checksum": _array_checksum(arrays)}
    payload: dict[str, Any] = {**arrays, HEADER: np.array(header_text(stated))}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez_compressed(stream, **payload)
        seal_file(temporary, ".npz")

    write_atomically(path, write)


def _array_checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Checksum of named arrays, whatever library compresses them."""
    content = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        array = np.asarray(values)
        content.update(f"{name} {array.dtype.str} {list(array.shape)}".encode())
        if array.size:
            content.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return content.hexdigest()[:32]


def read_npz(path: Path | str, key: str | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and header of an npz.

    Raises
    ------
    StoreError
        If the file is damaged, has no header, or ``key`` is given and differs.
    """
    check_seal(path)
    with sound(path), np.load(path, allow_pickle=False) as archive:
        header = checked_header(path, _npz_text(path, archive))
        check_key(path, header, key)
        check_size(path, sum(item.file_size for item in archive.zip.infolist()))
        arrays = {name: archive[name] for name in archive.files if name != HEADER}
    header.pop("checksum", None)
    return arrays, header


def _npz_text(path: Path | str, archive: Any) -> str | None:
    """Text of the header of an open npz."""
    if HEADER not in archive.files:
        return None
    size = sum(item.file_size for item in archive.zip.infolist() if item.filename.removesuffix(".npy") == HEADER)
    if size > HEADER_BYTES:
        raise ForeignError(f"{path} has a header of {size / 1e9:.2f} GB: this workflow did not write it. Delete it.")
    return str(archive[HEADER])


def npz_header(path: Path, stream: BinaryIO) -> str | None:
    """Text of the header of a npz; None where there is none."""
    with parsing(path), np.load(stream, allow_pickle=False) as archive:
        return _npz_text(path, archive)
