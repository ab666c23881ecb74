"""CASIA-SURF as the NeurIPS 2023 Unlearning Challenge used it: faces, their age group, their person.

The data set is given on request. Source of the conventions: google-deepmind/unlearning_evaluation, ``surf.py``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from unlearning_metric.data.files import Skipped, read_images
from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.record import DataSettings, Source
from unlearning_metric.keys.folder_content import is_stray

AGE_GROUPS = 10
#: The order of the examples, before they are divided, is shuffled with this seed whatever the experiment's is.
SHUFFLE_SEED = 43
IMAGE_SIZE = 32


def load(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Read the folder ``settings.path``: Age_Gender.txt and WBackground/*/<person>/real.rssdk/color/*.jpg.

    Labels are ten age groups of equal width. Groups are the persons' numbers, or their places among all of them in
    alphabetical order where they are called otherwise. The training pool is
    the published training part (80 % of the images) followed by the validation part (10 %), in the published order;
    the rest is the test pool.
    """
    root = Path(str(settings.path))
    ages = _read_ages(root / "Age_Gender.txt")
    persons = _person_numbers(ages)
    edges = np.linspace(min(ages.values()), max(ages.values()) + 1, AGE_GROUPS + 1)
    examples, skipped = [], Skipped()
    for folder in sorted((root / "WBackground").glob("*/*")):
        if is_stray(folder.name) or is_stray(folder.parent.name):
            skipped.add("no data of the user's by its name", folder)
            continue
        images = _images_of(folder, skipped)
        if images and folder.name not in ages:
            raise DataError(f"{folder} holds images of a person whom {root / 'Age_Gender.txt'} does not name.")
        examples += [(path, folder.name) for path in images]
    if not examples:
        raise DataError(
            f"{root} holds no image of CASIA-SURF. Needed: {root}/WBackground/*/<person>/real.rssdk/color/*.jpg"
        )
    warnings, notes = skipped.lines(root)
    random.Random(SHUFFLE_SEED).shuffle(examples)
    trained, pool = int(0.8 * len(examples)), int(0.9 * len(examples))
    images = read_images([path for path, _ in examples], settings.image_size or IMAGE_SIZE, f"data.path {root}")
    labels = np.digitize([ages[person] for _, person in examples], edges).astype(np.int64) - 1
    groups = np.array([persons[person] for _, person in examples], dtype=np.int64)
    return ImageData(
        images[:pool],
        labels[:pool],
        images[pool:],
        labels[pool:],
        groups[:pool],
        classes=tuple(f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges)),
        validation=np.arange(trained, pool),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _images_of(folder: Path, skipped: Skipped) -> list[Path]:
    """Images of a person, sorted, as the challenge took them: files .jpg of real.rssdk/color alone."""
    place, images = folder / "real.rssdk" / "color", []
    if not place.is_dir():
        skipped.add("without real.rssdk/color", folder)
        return images
    for path in sorted(place.iterdir()):
        if is_stray(path.name):
            skipped.add("no data of the user's by its name", path)
        elif path.suffix != ".jpg":
            skipped.add("not called .jpg, as those of the challenge are", path)
        elif not path.exists():
            skipped.add("link to nothing", path)
        else:
            images.append(path)
    return images


def _person_numbers(persons: Iterable[str]) -> dict[str, int]:
    ordered = sorted(persons)
    if all(person.isdecimal() for person in ordered):
        numbers = {person: int(person) for person in ordered}
        if len(set(numbers.values())) == len(ordered) and max(numbers.values()) <= np.iinfo(np.int64).max:
            return numbers
    return {person: number for number, person in enumerate(ordered)}


def _read_ages(path: Path) -> dict[str, int]:
    """Age by person."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}). It must hold lines: person age gender.") from error
    ages: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or not fields[1].isdigit():
            raise DataError(f"{path}, line {number}: {line!r} is not of the form: person age gender.")
        if fields[0] in ages:
            raise DataError(f"{path}, line {number}: the person {fields[0]} is there twice.")
        ages[fields[0]] = int(fields[1])
    if not ages:
        raise DataError(f"{path} names no person.")
    return ages


SOURCE = Source(
    "casia_surf",
    load,
    "the folder of the challenge's data set, given on request: `Age_Gender.txt` and "
    "`WBackground/*/<person>/real.rssdk/color/*.jpg`. Label: age group, group: person's number. Training, validation "
    "and test images are those of the challenge, so `data.validation_size` stays 0",
    reads="folder",
    holds="the folder with Age_Gender.txt and WBackground/",
    example="data/casia_surf",
    image_files=True,
    own_size=IMAGE_SIZE,
    own_validation=True,
)
