"""What every data source returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearning_metric.errors import DataError

__all__ = ["DataError", "ImageData"]


@dataclass(frozen=True)
class ImageData:
    """Labelled examples, divided into a training pool and a test pool.

    Attributes
    ----------
    x_train, x_test : uint8 or float32 [examples, ...], at least one axis beside the first; images are [images, height,
        width, channels], anything else is what only a net for feature vectors takes
    y_train, y_test : int64 [examples], labels 0..classes-1
    groups_train : int64 [examples], optional; examples of one group belong together, such as those of one person
    classes : what the source calls class 0, 1, ...; None where the labels are all that is known
    validation : int64, optional; indices into the training pool that the source itself sets aside for validation
    warnings : what may be meant otherwise than it was read, a sentence each
    notes : what was read and what was passed over, a sentence each
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    groups_train: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    validation: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            _check_examples(f"x_{part}", x)
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
                f"{len(self.x_train)} images of x_train. numpy.unique(names, return_inverse=True)[1] numbers names."
            )
        if self.x_train.shape[1:] != self.x_test.shape[1:] or self.x_train.dtype != self.x_test.dtype:
            raise DataError(
                f"training images are {self.x_train.dtype} {list(self.x_train.shape[1:])}, test images "
                f"{self.x_test.dtype} {list(self.x_test.shape[1:])}: they must have one height, width, number of "
                "channels and type."
            )
        if self.num_classes < 2:
            raise DataError("all examples have one label; a classifier needs at least two classes.")

    @property
    def num_classes(self) -> int:
        """Number of classes: those that the source names, or the largest label of either pool, plus one."""
        if self.classes is not None:
            return len(self.classes)
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def _check_examples(name: str, x: np.ndarray) -> None:
    if x.dtype not in (np.uint8, np.float32) or x.ndim < 2 or (x.ndim == 3 and x.dtype == np.uint8):
        raise DataError(
            f"{name} is {x.dtype} {list(x.shape)}; needed: uint8 [images, height, width, channels], or uint8 or "
            "float32 vectors [examples, features]."
        )
    if len(x) == 0:
        raise DataError(f"{name} holds no image.")
    if 0 in x.shape:
        raise DataError(f"{name} is {list(x.shape)}: its examples hold no value.")
    if x.dtype == np.float32:
        broken = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))
        if len(broken):
            raise DataError(
                f"{name} holds values that are not finite in {len(broken)} of {len(x)} examples, the first is "
                f"{broken[0]}. Mend or remove them."
            )
