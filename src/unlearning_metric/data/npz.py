"""A user's own arrays: x_train, y_train, x_test, y_test in one npz file (the Keras layout), and maybe groups_train."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.labels import encode_labels
from unlearning_metric.data.memory import require_memory

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_LARGEST = float(np.finfo(np.float32).max)


def load(settings: dict[str, Any], rng: np.random.Generator) -> ImageData:
    """Read ``settings["path"]``.

    ``x`` may have any shape [examples, ...], uint8 or float: grey images [images, height, width] get a channel axis,
    and what is not [images, height, width, channels] is taken as feature vectors. Labels may be integers or text,
    [examples] or [examples, 1].
    """
    path = settings["path"]
    try:
        with zipfile.ZipFile(path) as archive:
            stored = sum(item.file_size for item in archive.infolist())
        require_memory(stored, f"data.path {path}", "Store fewer or smaller examples.")
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive.files]
            if missing:
                raise DataError(
                    f"data.path {path} lacks {', '.join(missing)}; it holds {', '.join(archive.files)}. "
                    f"Needed: {', '.join(ARRAYS)}."
                )
            names = [name for name in (*ARRAYS, "groups_train") if name in archive.files]
            arrays = {name: _read(archive, name, path) for name in names}
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"data.path {path} cannot be read as npz ({error}). Write it with numpy.savez(path, x_train=..., "
            "y_train=..., x_test=..., y_test=...)."
        ) from error
    for name in ("x_train", "x_test"):
        arrays[name] = _examples(arrays[name], name)
    for name in ("y_train", "y_test", "groups_train"):
        if name in arrays and arrays[name].ndim == 2 and arrays[name].shape[1] == 1:
            arrays[name] = arrays[name][:, 0]
    y_train, y_test, classes = encode_labels(arrays["y_train"], arrays["y_test"])
    groups = arrays.get("groups_train")
    if groups is not None and groups.dtype.kind in "iu":
        groups = groups.astype(np.int64)
    return ImageData(arrays["x_train"], y_train, arrays["x_test"], y_test, groups, classes)


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


def _examples(x: np.ndarray, name: str) -> np.ndarray:
    if x.dtype.kind == "f":
        if x.dtype.itemsize <= 4 or x.ndim == 0:
            return x.astype(np.float32, copy=False)
        with np.errstate(over="ignore"):
            single = x.astype(np.float32)
        beyond = np.flatnonzero((np.isinf(single) & np.isfinite(x)).any(axis=tuple(range(1, x.ndim))))
        if len(beyond):
            raise DataError(
                f"{name} holds values beyond {_LARGEST:.3g}, the largest float32, in {len(beyond)} of {len(x)} "
                f"examples, the first is {beyond[0]}. Scale or remove them."
            )
        return single
    return x[..., None] if x.ndim == 3 else x
