"""A user's own arrays: x_train, y_train, x_test, y_test in one npz file (the Keras layout), and maybe groups_train."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.labels import encode_labels
from unlearning_metric.data.memory import require_memory

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


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
            arrays = {name: archive[name] for name in (*ARRAYS, "groups_train") if name in archive.files}
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"data.path {path} cannot be read as npz ({error}).") from error
    for name in ("x_train", "x_test"):
        arrays[name] = _examples(arrays[name])
    for name in ("y_train", "y_test", "groups_train"):
        if name in arrays and arrays[name].ndim == 2 and arrays[name].shape[1] == 1:
            arrays[name] = arrays[name][:, 0]
    y_train, y_test, classes = encode_labels(arrays["y_train"], arrays["y_test"])
    groups = arrays.get("groups_train")
    if groups is not None and groups.dtype.kind in "iu":
        groups = groups.astype(np.int64)
    return ImageData(arrays["x_train"], y_train, arrays["x_test"], y_test, groups, classes)


def _examples(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "f":
        return x.astype(np.float32, copy=False)
    return x[..., None] if x.ndim == 3 else x
