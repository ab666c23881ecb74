"""A folder of image files: train/<class>/... and test/<class>/..., as `torchvision.datasets.ImageFolder` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.data.files import find_images, read_images
from unlearning_metric.data.images import DataError, ImageData


def load(settings: dict[str, Any], rng: np.random.Generator) -> ImageData:
    """Read ``settings["path"]``; the classes are the folders of train/, in the order of their names."""
    root = Path(settings["path"])
    classes = _class_names(root / "train")
    unknown = sorted(set(_class_names(root / "test")) - set(classes))
    if unknown:
        raise DataError(
            f"{root / 'test'} holds the classes {', '.join(unknown)}, which {root / 'train'} does not: no model could "
            "learn them. Remove or rename the folders."
        )
    paths: list[Path] = []
    labels: dict[str, list[int]] = {"train": [], "test": []}
    for part in ("train", "test"):
        for number, name in enumerate(classes):
            found = find_images(root / part / name)
            if not found and (root / part / name).is_dir():
                raise DataError(f"the folder {root / part / name} holds no image. Fill or remove it.")
            paths += found
            labels[part] += [number] * len(found)
    images = read_images(paths, settings["image_size"], f"data.path {root}")
    train, test = (np.array(labels[part], dtype=np.int64) for part in ("train", "test"))
    return ImageData(images[: len(train)], train, images[len(train) :], test, classes=tuple(classes))


def _class_names(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not names:
        raise DataError(
            f"{folder} holds no folder of a class. Needed: {folder.parent}/train/<class>/ and "
            f"{folder.parent}/test/<class>/ with the image files of each class."
        )
    return names
