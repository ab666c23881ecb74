"""Labels of any kind as 0..classes-1."""

from __future__ import annotations

import numpy as np

from unlearning_metric.data.images import DataError


def encode_labels(y_train: np.ndarray, y_test: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Number the labels of both pools 0..classes-1 in ascending order.

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
                "text."
            )
    if (y_train.dtype.kind == "U") != (y_test.dtype.kind == "U"):
        raise DataError(f"y_train is {y_train.dtype}, y_test {y_test.dtype}: labels must be of one kind.")
    both = [y_train, y_test]
    if y_train.dtype.kind != "U" and y_train.dtype != y_test.dtype:
        # NumPy has no common integer for some pairs, such as uint64 and int64, and would take floats.
        both = [np.array([int(label) for label in labels], dtype=object) for labels in both]
    values, numbers = np.unique(np.concatenate(both), return_inverse=True)
    numbers = numbers.astype(np.int64)
    return numbers[: len(y_train)], numbers[len(y_train) :], tuple(str(value) for value in values)
