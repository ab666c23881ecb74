"""A file of MedMNIST: medical images of one size with their published division into three parts.

Source: Yang et al., "MedMNIST v2", Scientific Data 10, 41 (2023); each data set is one npz file of the arrays
``{train,val,test}_{images,labels}``.
"""

from __future__ import annotations

import numpy as np

from unlearning_metric.data.archive import read_archive
from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.labels import encode_labels
from unlearning_metric.data.record import DataSettings, Source

PARTS = ("train", "val", "test")
ARRAYS = tuple(f"{part}_{kind}" for part in PARTS for kind in ("images", "labels"))


def load(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Read ``settings.path``; the training pool is the published training part followed by the validation part.

    Images are uint8 [images, height, width] or [images, height, width, 3], labels one integer an image.
    """
    path = str(settings.path)
    arrays, _ = read_archive(path, ARRAYS)
    images = {part: _images(arrays[f"{part}_images"], f"data.path {path}: {part}_images") for part in PARTS}
    labels = {part: _labels(arrays[f"{part}_labels"], f"data.path {path}: {part}_labels") for part in PARTS}
    trained = len(images["train"])
    y_train, y_test, classes = encode_labels(np.concatenate([labels["train"], labels["val"]]), labels["test"])
    return ImageData(
        np.concatenate([images["train"], images["val"]]),
        y_train,
        images["test"],
        y_test,
        classes=classes,
        validation=np.arange(trained, len(y_train)),
    )


def _images(x: np.ndarray, name: str) -> np.ndarray:
    if x.ndim == 3:
        x = x[..., None]
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] not in (1, 3):
        raise DataError(
            f"{name} is {x.dtype} {list(x.shape)}; needed: uint8 [images, height, width], with a last axis of three "
            "colours or without. Volumes (the 3D data sets) are not read: give them to data.source npz as vectors."
        )
    return x


def _labels(y: np.ndarray, name: str) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"{name} is {y.dtype} {list(y.shape)}; needed: one label an image. With several labels an image (chest), "
            "write the one to classify by and the images to a file for data.source npz."
        )
    return y


SOURCE = Source(
    "medmnist",
    load,
    "a file of MedMNIST v2 (`bloodmnist.npz`, `pathmnist_64.npz`, ...), downloaded by hand. Training, validation and "
    "test images are those published, so `data.validation_size` stays 0; data sets of volumes or of several labels an "
    "image are refused",
    reads="file",
    holds="a npz file of MedMNIST",
    example="data/bloodmnist.npz",
    own_validation=True,
)
