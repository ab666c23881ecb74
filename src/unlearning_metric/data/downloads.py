"""The data sets that torchvision downloads, at their published division into training and test images.

torchvision checks what it downloads against the publishers' checksums. It unpickles the files of CIFAR, and does so
only once their checksums are right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.record import DataSettings, Source

#: data.source -> class of `torchvision.datasets`, and the arguments that choose its two parts
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "cifar10": ("CIFAR10", {"train": True}, {"train": False}),
    "cifar100": ("CIFAR100", {"train": True}, {"train": False}),
    "svhn": ("SVHN", {"split": "train"}, {"split": "test"}),
    "mnist": ("MNIST", {"train": True}, {"train": False}),
    "fashion_mnist": ("FashionMNIST", {"train": True}, {"train": False}),
}
#: Where they are kept if ``data.path`` does not say.
FOLDER = "data"


def load(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Read ``settings.source`` from the folder ``settings.path``, into which it is downloaded if it is absent."""
    import torchvision

    source, folder = settings.source, settings.path or FOLDER
    name, *parts = KINDS[source]
    try:
        train, test = (getattr(torchvision.datasets, name)(folder, download=True, **part) for part in parts)
    except Exception as error:
        raise DataError(
            f"data.source {source}: it is not in the folder {folder} and could not be downloaded "
            f"({type(error).__name__}: {error}). Run again where the publisher's site can be reached; or copy a folder "
            f"that torchvision.datasets.{name} has filled and name it in data.path; or get the images elsewhere, "
            "save x_train, y_train, x_test and y_test with numpy.savez, and set data: {source: npz, path: ...}."
        ) from error
    classes = [str(name) for name in getattr(train, "classes", range(10))]
    arrays = (*_arrays(train), *_arrays(test))
    return ImageData(*arrays, classes=tuple(classes))


def _arrays(part: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [images, height, width, channels] and labels int64 [images]."""
    images = np.asarray(part.data)
    if images.ndim == 3:
        images = images[..., None]
    elif images.shape[1] == 3:
        # SVHN alone has its channels first.
        images = images.transpose(0, 2, 3, 1)
    labels = part.targets if hasattr(part, "targets") else part.labels
    return np.ascontiguousarray(images), np.asarray(labels, dtype=np.int64)


SOURCES = tuple(
    Source(
        source,
        load,
        f"downloaded by torchvision on first use, into `data.path` (default: the folder `{FOLDER}`). Where that fails, "
        "the message says why; a folder that torchvision filled elsewhere can be copied there, or the arrays given as "
        "`npz`",
        downloads=True,
    )
    for source in KINDS
)
