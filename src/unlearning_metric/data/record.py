"""What a data source is: how it is read, what ``data.path`` means to it, what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from unlearning_metric.data.images import ImageData


class DataSettings(Protocol):
    """The ``data`` part of the configuration, as far as sources and statistics read it."""

    @property
    def source(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def image_size(self) -> int | None: ...
    @property
    def test_size(self) -> int | None: ...
    @property
    def normalize(self) -> Literal["pool", "given", "none"]: ...
    @property
    def mean(self) -> list[float] | None: ...
    @property
    def std(self) -> list[float] | None: ...


@dataclass(frozen=True)
class Source:
    """One place where labelled examples come from.

    Attributes
    ----------
    name : value of ``data.source``
    load : function(``data`` part of the configuration, rng) -> ImageData; raises DataError
    says : what it is, for documentation; sentences in Markdown
    reads : what ``data.path`` has to be, where the data are what lies there
    holds : what that file or folder has to hold, with an article
    example : a path as one might be written, for the message that it is missing
    downloads : whether ``data.path`` may name the folder that it is downloaded to
    image_files : whether it reads image files, which can be brought to another size
    own_size : height and width that it takes if none is given; None for the files' own
    own_validation : whether it sets validation examples aside itself
    divides : whether it divides the examples itself, so that ``data.test_size`` decides what it holds
    """

    name: str
    load: Callable[[DataSettings, np.random.Generator], ImageData]
    says: str
    reads: Literal["file", "folder"] | None = None
    holds: str = ""
    example: str = ""
    downloads: bool = False
    image_files: bool = False
    own_size: int | None = None
    own_validation: bool = False
    divides: bool = False
