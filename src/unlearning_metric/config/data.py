"""The section ``data``: where the images come from."""

from typing import Literal

from pydantic import Field

from unlearning_metric.config.text import shown
from unlearning_metric.config.values import Number, PathText, PositiveInt, PositiveNumber, Rule, Section
from unlearning_metric.data import SOURCES

DATA_SOURCES = tuple(SOURCES)
# The records say which there are.
DataSource = Literal[DATA_SOURCES]  # type: ignore[valid-type]
#: Sources of image files, which can be brought to another size.
IMAGE_FILES = tuple(name for name, source in SOURCES.items() if source.image_files)


def _read_as(kind: str) -> str:
    return ", ".join(name for name, source in SOURCES.items() if source.reads == kind)


def _sizes() -> str:
    """What null means for the size of images, source by source."""
    sizes = ((name, SOURCES[name].own_size) for name in IMAGE_FILES)
    return ", ".join(f"the files' own for {name}" if size is None else f"{size} for {name}" for name, size in sizes)


class Data(Section):
    """Where the images come from and how many of them are used."""

    source: DataSource = Field(description="Data set to load.")
    path: PathText | None = Field(
        None,
        description=f"File ({_read_as('file')}) or folder ({_read_as('folder')}) to read; for a downloaded source the "
        "folder it is kept in, data if it is null.",
    )
    image_size: PositiveInt | None = Field(
        None,
        description=f"Height and width to bring image files to; null means {_sizes()}.",
    )
    normalize: Literal["pool", "given", "none"] = Field(
        "pool",
        description="What a net's input is normalised by: mean and standard deviation of each channel of the training "
        "pool, those given in mean and std, or nothing (0..255).",
    )
    mean: list[Number] | None = Field(
        None, min_length=1, description="Mean of each channel on the scale 0..1 of pixels; for normalize given."
    )
    std: list[PositiveNumber] | None = Field(
        None, min_length=1, description="Standard deviation of each channel on that scale; for normalize given."
    )
    train_size: PositiveInt | None = Field(None, description="Training images to use; null uses all of them.")
    test_size: PositiveInt | None = Field(None, description="Test images to use; null uses all of them.")
    validation_size: int = Field(0, ge=0, description="Validation images to set aside; 0 sets none aside.")


def _path_fits_source(source: str, path: str | None) -> str | None:
    record = SOURCES[source]
    if record.reads and path is None:
        return f"data.path: missing; data.source {source} needs the {record.reads} to read, e.g. path: {record.example}"
    if not record.reads and not record.downloads and path is not None:
        return f"data.path: {shown(path)} is not used by data.source {source}. Remove it, or set source: npz."
    return None


def _image_size_fits_source(source: str, image_size: int | None) -> str | None:
    if image_size is not None and not SOURCES[source].image_files:
        return (
            f"data.image_size: {image_size} is only for the sources {' and '.join(IMAGE_FILES)}, and data.source is "
            f"{source}. Remove it."
        )
    return None


def _statistics_fit_normalize(normalize: str, mean: list[float] | None, std: list[float] | None) -> str | None:
    given = [name for name, value in (("mean", mean), ("std", std)) if value is not None]
    if normalize == "given" and len(given) < 2:
        return "data.normalize: given needs data.mean and data.std, a number for each channel."
    if normalize != "given" and given:
        return f"data.{given[0]}: is not used with data.normalize {normalize}. Remove it, or set normalize: given."
    if normalize == "given" and mean is not None and std is not None and len(mean) != len(std):
        return f"data.mean: has {len(mean)} values and data.std has {len(std)}. Give one of each for each channel."
    return None


def _validation_fits_source(source: str, validation_size: int) -> str | None:
    if SOURCES[source].own_validation and validation_size:
        return (
            f"data.validation_size: {validation_size} is not used by data.source {source}, which has validation "
            "examples of its own. Remove it."
        )
    return None


RULES: tuple[Rule, ...] = (
    (("data.source", "data.path"), _path_fits_source),
    (("data.source", "data.image_size"), _image_size_fits_source),
    (("data.normalize", "data.mean", "data.std"), _statistics_fit_normalize),
    (("data.source", "data.validation_size"), _validation_fits_source),
)
