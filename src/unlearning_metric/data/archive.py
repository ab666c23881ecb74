"""Arrays of a npz file of the user's, nothing of which is unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.data.memory import require_memory


def read_archive(
    path: str, needed: Sequence[str], optional: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays by name, and the names of all that the file holds.

    Raises
    ------
    DataError
        If the file cannot be read, does not fit in memory, lacks one of the needed arrays or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            stored = sum(item.file_size for item in archive.infolist())
        require_memory(stored, f"data.path {path}", "Store fewer or smaller examples.")
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in needed if name not in archive.files]
            if missing:
                raise DataError(
                    f"data.path {path} lacks {', '.join(missing)}; it holds {', '.join(archive.files)}. "
                    f"Needed: {', '.join(needed)}."
                )
            wanted = [name for name in (*needed, *optional) if name in archive.files]
            return {name: _read(archive, name, path) for name in wanted}, list(archive.files)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"data.path {path} cannot be read as npz ({error}). Write it with numpy.savez(path, "
            f"{', '.join(f'{name}=...' for name in needed)})."
        ) from error


def _read(archive: np.lib.npyio.NpzFile, name: str, path: str) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        kind = (
            "y_train.astype(str) or .astype('int64')" if name.startswith(("y_", "g")) else f"{name}.astype('float32')"
        )
        raise DataError(
            f"data.path {path}: {name} is stored as Python objects (dtype object), which are not read since reading "
            f"them can run code. Store an array of one type: {kind.replace('y_train', name)}."
        ) from error
