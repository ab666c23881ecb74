"""Image files as one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.data.memory import require_memory
from unlearning_metric.keys.folder_content import files_below

#: What `torchvision.datasets.ImageFolder` takes for an image.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
#: Endings of further formats of images, which `ImageFolder` passes over too.
OTHER_IMAGES = frozenset(
    {".gif", ".jfif", ".jpe", ".jp2", ".j2k", ".jxl", ".heic", ".heif", ".hif", ".avif", ".apng", ".tga", ".dds",
     ".ico", ".svg", ".psd", ".exr", ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw", ".dcm", ".nii",
     ".npy", ".npz", ".pt", ".pkl", ".zip", ".tar", ".gz", ".tgz"}
)  # fmt: skip
OTHER_FORMAT = f"not in a format that is read ({' '.join(EXTENSIONS)}): convert it"
NO_IMAGE = "no image by its ending"
#: Reasons that speak for an example which the user takes to be there.
MISSED = frozenset({OTHER_FORMAT, "link to nothing", "neither file nor folder", "in no folder of a class"})
_GREY = ("1", "L")
#: Modes of more than eight bits; conversion would cut them off at 255.
_DEEP = ("I", "F")


@dataclass
class Skipped:
    """What a reader of folders passes over, to be told in a few lines however much it is."""

    found: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, why: str, path: Path) -> None:
        """Note a file or folder."""
        self.found.setdefault(why, []).append(path)

    def lines(self, root: Path) -> tuple[list[str], list[str]]:
        """Sentences: those of what may be missed, as pictures in another format, and those of the rest."""
        warnings, notes = [], []
        for why, paths in sorted(self.found.items()):
            count = "1 entry" if len(paths) == 1 else f"{len(paths)} entries"
            first = min(paths)
            place = first.relative_to(root) if first.is_relative_to(root) else first
            (warnings if why in MISSED else notes).append(
                f"{count} of {root} skipped, {why}: {place}{' and others' if len(paths) > 1 else ''}"
            )
        return warnings, notes


def find_images(folder: Path, skipped: Skipped) -> list[Path]:
    """Image files below a folder, sorted; what is none goes to ``skipped``."""
    images = []
    for path in files_below(folder, skipped.add):
        suffix = path.suffix.lower()
        if suffix in EXTENSIONS:
            images.append(path)
        else:
            skipped.add(OTHER_FORMAT if suffix in OTHER_IMAGES else NO_IMAGE, path)
    return images


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
