"""Labels of any kind as 0..classes-1."""

from __future__ import annotations

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.spelling import composed


def encode_labels(y_train: np.ndarray, y_test: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Number the labels of both pools 0..classes-1 in ascending order.

    Text is one label in whichever Unicode form (`spelling.composed`).

    Parameters
    ----------
    y_train, y_test : integers, truth values or text [examples]

    Returns
    -------
    y_train, y_test : int64 [examples]
    classes : the label that each number stands for, as text

    Raises
    ------
    DataError
        For labels of another kind.
    """
    for name, labels in (("y_train", y_train), ("y_test", y_test)):
        if labels.dtype.kind not in "iubU" or labels.ndim != 1:
            raise DataError(
                f"{name} is {labels.dtype} {list(labels.shape)}; needed: one label for each example, an integer or "
                f"text.{_advice(labels, name)}"
            )
    if (y_train.dtype.kind == "U") != (y_test.dtype.kind == "U"):
        raise DataError(
            f"y_train is {y_train.dtype}, y_test {y_test.dtype}: labels must be of one kind. Store both as text "
            "(.astype(str)), or both as integers."
        )
    if y_train.dtype.kind == "U":
        y_train, y_test = (np.array([composed(label) for label in labels], dtype=str) for labels in (y_train, y_test))
    both = [y_train, y_test]
    if y_train.dtype.kind != "U" and y_train.dtype != y_test.dtype:
        # NumPy has no common integer for some pairs, such as uint64 and int64, and would take floats.
        both = [np.array([int(label) for label in labels], dtype=object) for labels in both]
    values, numbers = np.unique(np.concatenate(both), return_inverse=True)
    numbers = numbers.astype(np.int64)
    return numbers[: len(y_train)], numbers[len(y_train) :], tuple(str(value) for value in values)


def _advice(labels: np.ndarray, name: str) -> str:
    """What to do about labels of another kind, where they look like something known; begins with a blank."""
    if labels.dtype.kind == "S":
        return f" These are bytes: store numpy.char.decode({name}, 'utf-8')."
    if labels.dtype.kind in "iufb" and labels.ndim == 2 and labels.shape[1] > 1 and _is_one_hot(labels):
        return f" These are one-hot rows: store {name}.argmax(axis=1)."
    if labels.dtype.kind == "f" and labels.ndim == 1 and (labels == np.round(labels)).all():
        return f" These are whole numbers stored as floats: store {name}.astype('int64')."
    return ""


def _is_one_hot(rows: np.ndarray) -> bool:
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
