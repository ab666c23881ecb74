"""A user's own arrays: x_train, y_train, x_test, y_test in one npz file (the Keras layout), and maybe groups_train."""

from __future__ import annotations

import numpy as np

from unlearning_metric.data.archive import read_archive
from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.labels import encode_labels
from unlearning_metric.data.layout import channels_last
from unlearning_metric.data.record import DataSettings, Source
from unlearning_metric.spelling import lookalikes

GROUPS = "groups_train"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_LARGEST = float(np.finfo(np.float32).max)


def load(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Read ``settings.path``.

    ``x`` may have any shape [examples, ...], uint8 or float: grey images [images, height, width] get a channel axis,
    images with their channels first get them last, and what is not [images, height, width, channels] is taken as
    feature vectors. Labels may be integers or text, [examples] or [examples, 1].
    """
    path = str(settings.path)
    arrays, names = read_archive(path, ARRAYS, (GROUPS,))
    warnings, notes = _not_read(names, path)
    for name in ("x_train", "x_test"):
        arrays[name], turned = channels_last(_examples(arrays[name], name), name)
        warnings += [turned] if turned else []
    for name in ("y_train", "y_test", GROUPS):
        if name in arrays and arrays[name].ndim == 2 and arrays[name].shape[1] == 1:
            arrays[name] = arrays[name][:, 0]
    y_train, y_test, classes = encode_labels(arrays["y_train"], arrays["y_test"])
    warnings += [
        f"the labels {one} and {other} look alike and are two classes; if one is meant, write both alike"
        for one, other in lookalikes(classes)
    ]
    return ImageData(
        arrays["x_train"],
        y_train,
        arrays["x_test"],
        y_test,
        _groups(arrays.get(GROUPS)),
        classes,
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _not_read(names: list[str], path: str) -> tuple[list[str], list[str]]:
    """Of arrays that are not read: warnings for names close to one that is, and a note of the others."""
    known = (*ARRAYS, GROUPS)
    others = [name for name in names if name not in known]
    # x_val is none of the arrays misspelt.
    close = {name: GROUPS for name in others if name.lower().startswith("group") and name != "groups_test"}
    close = close if GROUPS not in names else {}
    warnings = [f"data.path {path}: the array {name} is not read. Call it {right}" for name, right in close.items()]
    rest = [name for name in others if name not in close]
    return warnings, [f"data.path {path}: not read: {', '.join(rest)}"] if rest else []


def _groups(groups: np.ndarray | None) -> np.ndarray | None:
    if groups is None or groups.dtype.kind not in "iu":
        return groups
    if groups.dtype.kind == "u" and len(groups) and groups.max() > np.iinfo(np.int64).max:
        raise DataError(
            f"{GROUPS} holds {groups.max()}, beyond 64 bits with a sign. Number the groups anew: "
            f"numpy.unique({GROUPS}, return_inverse=True)[1]."
        )
    return groups.astype(np.int64)


def _examples(x: np.ndarray, name: str) -> np.ndarray:
    if x.ndim and not len(x):
        # Before the labels, which then are of no kind.
        raise DataError(f"{name} holds no image.")
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


SOURCE = Source(
    "npz",
    load,
    "`x_train`, `y_train`, `x_test`, `y_test` and, if examples belong together, `groups_train` (an integer each). `x`"
    " is uint8 or float, of any shape [N, ...]: [N, height, width] and [N, height, width, channels] of uint8 are "
    "images, and so is float [N, height, width, channels]; anything else are feature vectors (embeddings, tables), "
    "for the model `mlp`. [N, channels, height, width], as PyTorch stores images, is known by one, three or four "
    "channels and sides of at least 5, turned round and warned of. Nothing in the file is unpickled; arrays of other "
    "names are not read, and named in the log",
    reads="file",
    holds="a npz file with x_train, y_train, x_test and y_test",
    example="data/mine.npz",
)
