"""A folder of image files: train/<class>/... and test/<class>/..., as `torchvision.datasets.ImageFolder` reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unlearning_metric.data.files import EXTENSIONS, Skipped, find_images, read_images
from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.record import DataSettings, Source
from unlearning_metric.keys.folder_content import is_stray
from unlearning_metric.spelling import composed, lookalikes


def load(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Read ``settings.path``; the classes are the folders of train/, in the order of their names.

    Folders that no user makes (`folder_content.is_stray`) are no classes. Names are compared in one Unicode form.
    """
    root, skipped = Path(str(settings.path)), Skipped()
    folders = {part: _class_folders(root / part, skipped) for part in ("train", "test")}
    classes = list(folders["train"])
    unknown = sorted(set(folders["test"]) - set(classes))
    if unknown:
        alike = [pair for pair in lookalikes([*classes, *unknown]) if pair[1] in map(ascii, unknown)]
        hint = f" {alike[0][1]} looks like {alike[0][0]}, and is another name." if alike else ""
        raise DataError(
            f"{root / 'test'} holds the classes {', '.join(unknown)}, which {root / 'train'} does not: no model could "
            f"learn them. Remove or rename the folders.{hint}"
        )
    paths: list[Path] = []
    labels: dict[str, list[int]] = {"train": [], "test": []}
    for part, named in folders.items():
        for number, name in enumerate(classes):
            if name not in named:
                continue
            found = find_images(named[name], skipped)
            if not found:
                raise DataError(
                    f"the folder {named[name]} holds no image{_what_it_holds(skipped, named[name])}. Fill or remove it."
                )
            paths += found
            labels[part] += [number] * len(found)
    for entry in root.iterdir():
        if entry.name not in folders:
            skipped.add("neither train nor test", entry)
    warnings, notes = skipped.lines(root)
    images = read_images(paths, settings.image_size, f"data.path {root}")
    train, test = (np.array(labels[part], dtype=np.int64) for part in ("train", "test"))
    return ImageData(
        images[: len(train)],
        train,
        images[len(train) :],
        test,
        classes=tuple(classes),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _class_folders(folder: Path, skipped: Skipped) -> dict[str, Path]:
    """Name of a class -> its folder, in the order of the names."""
    found: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if is_stray(entry.name):
            skipped.add("no data of the user's by its name", entry)
        elif not entry.is_dir():
            dangling = entry.is_symlink() and not entry.exists()
            skipped.add("link to nothing" if dangling else "in no folder of a class", entry)
        elif (name := composed(entry.name)) in found:
            raise DataError(
                f"{folder} holds two folders called {name}, {found[name].name!a} and {entry.name!a}: one word in two "
                "Unicode forms (NFC and NFD). Move the images of one into the other."
            )
        else:
            found[name] = entry
    if not found:
        raise DataError(
            f"{folder} holds no folder of a class. Needed: {folder.parent}/train/<class>/ and "
            f"{folder.parent}/test/<class>/ with the image files of each class."
        )
    return dict(sorted(found.items()))


def _what_it_holds(skipped: Skipped, folder: Path) -> str:
    """What lies in a folder without images, for its message."""
    held = {why: sum(path.is_relative_to(folder) for path in paths) for why, paths in skipped.found.items()}
    said = ", ".join(f"{count} {why}" for why, count in held.items() if count)
    return f" ({said})" if said else ""


SOURCE = Source(
    "image_folder",
    load,
    "`train/<class>/` and `test/<class>/` with image files, as torchvision's `ImageFolder` reads them ("
    + ", ".join(f"`{ending}`" for ending in EXTENSIONS)
    + "). Images of several sizes need `data.image_size`. What programs leave beside data (names that begin with a "
    "dot, `@eaDir`, `__MACOSX` and the like) is neither class nor example and changes no key; it is counted in the "
    "log, as are files that are no image. Images in other formats (`.gif`, `.heic`), links to nothing and files "
    "beside the class folders are warned of",
    reads="folder",
    holds="a folder with train/<class>/ and test/<class>/",
    example="data/image_folder",
    image_files=True,
)
