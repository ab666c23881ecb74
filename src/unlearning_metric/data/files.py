"""Image files as one array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.data.memory import require_memory
from unlearning_metric.keys.folder_content import files_below

#: What `torchvision.datasets.ImageFolder` takes for an image.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_GREY = ("1", "L")
#: Modes of more than eight bits; conversion would cut them off at 255.
_DEEP = ("I", "F")


def find_images(folder: Path) -> list[Path]:
    """Image files below a folder, sorted."""
    return [path for path in files_below(folder) if path.suffix.lower() in EXTENSIONS]


def read_images(paths: Sequence[Path], size: int | None, what: str) -> np.ndarray:
    """Decode image files.

    Parameters
    ----------
    paths : at least one file
    size : height and width to bring every image to (bilinear); None keeps the images' own size
    what : name of the data, for messages

    Returns
    -------
    uint8 [images, height, width, channels]; one channel where every file is grey, else three

    Raises
    ------
    DataError
        Names a file that cannot be read, two files of different size, or the memory that is needed.
    """
    grey, shape = True, (size, size)
    for path in paths:
        mode, own = _form(path)
        if mode.partition(";")[0] in _DEEP:
            raise DataError(
                f"{path} has more than 8 bits a pixel (mode {mode}). Convert the images to 8 bits, or give the pixels "
                "as float arrays: data: {source: npz, path: ...}."
            )
        grey = grey and mode in _GREY
        if size is None and path is not paths[0] and own != shape:
            raise DataError(
                f"{what}: {path} has {own[0]} x {own[1]} pixels, {paths[0]} has {shape[0]} x {shape[1]}. Set "
                "data.image_size to bring all images to one size."
            )
        shape = shape if size is not None else own
    channels = 1 if grey else 3
    stored = len(paths) * shape[0] * shape[1] * channels
    require_memory(
        stored,
        f"{what} ({len(paths)} images of {shape[0]} x {shape[1]} x {channels})",
        "Set a smaller data.image_size.",
    )
    images = np.empty((len(paths), *shape, channels), dtype=np.uint8)
    for place, path in enumerate(paths):
        images[place] = _pixels(path, "L" if grey else "RGB", shape)
    return images


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} cannot be read as an image ({type(error).__name__}: {error}). Replace the file, or remove it."
    )


def _form(path: Path) -> tuple[str, tuple[int, int]]:
    """Mode, and (height, width) as they are shown, from the file's header."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.mode, (image.height, image.width)
    except Exception as error:
        raise _unreadable(path, error) from error


def _pixels(path: Path, mode: str, shape: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    height, width = shape
    try:
        with Image.open(path) as image:
            converted = image.convert(mode)
            if converted.size != (width, height):
                converted = converted.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(converted).reshape(height, width, -1)
    except Exception as error:
        raise _unreadable(path, error) from error
