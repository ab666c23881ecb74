"""A user's own arrays: x_train, y_train, x_test, y_test in one npz file (the Keras layout), and maybe groups_train."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError, ImageData

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load(settings: dict[str, Any], rng: np.random.Generator) -> ImageData:
    """Read ``settings["path"]``; grey images may lack the channel axis, labels may be [images, 1]."""
    path = settings["path"]
    try:
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
        if arrays[name].ndim == 3:
            arrays[name] = arrays[name][..., None]
    for name in ("y_train", "y_test", "groups_train"):
        if name not in arrays:
            continue
        if arrays[name].ndim == 2 and arrays[name].shape[1] == 1:
            arrays[name] = arrays[name][:, 0]
        if np.issubdtype(arrays[name].dtype, np.integer):
            arrays[name] = arrays[name].astype(np.int64)
    return ImageData(**arrays)
