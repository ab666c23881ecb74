"""What every data source returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class DataError(ValueError):
    """The user's data do not fit: says what, where and what to do."""


@dataclass(frozen=True)
class ImageData:
    """Labelled images, divided into a training pool and a test pool.

    Attributes
    ----------
    x_train, x_test : uint8 [images, height, width, channels]
    y_train, y_test : int64 [images], labels 0..classes-1
    groups_train : int64 [images], optional; examples of one group belong together, such as those of one person
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    groups_train: np.ndarray | None = None

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if x.dtype != np.uint8 or x.ndim != 4:
                raise DataError(
                    f"x_{part} is {x.dtype} {list(x.shape)}; needed: uint8 [images, height, width, channels]."
                )
            if len(x) == 0:
                raise DataError(f"x_{part} holds no image.")
            if y.shape != (len(x),) or not np.issubdtype(y.dtype, np.integer):
                raise DataError(
                    f"y_{part} is {y.dtype} {list(y.shape)}; needed: one integer label for each of the "
                    f"{len(x)} images of x_{part}."
                )
            if y.min() < 0:
                raise DataError(f"y_{part} holds the label {y.min()}; labels are 0..classes-1.")
        groups = self.groups_train
        if groups is not None and (groups.shape != (len(self.x_train),) or not np.issubdtype(groups.dtype, np.integer)):
            raise DataError(
                f"groups_train is {groups.dtype} {list(groups.shape)}; needed: one integer for each of the "
                f"{len(self.x_train)} images of x_train."
            )
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"training images are {list(self.x_train.shape[1:])}, test images {list(self.x_test.shape[1:])}: "
                "they must have one height, width and number of channels."
            )

    @property
    def num_classes(self) -> int:
        """Number of classes: the largest label of either pool, plus one."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1
