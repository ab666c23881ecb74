"""What every metric demands of its arrays, and how it says so."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Least standard deviation of a fitted normal law: a side without spread would be told apart from itself by rounding.
LEAST_SD = 1e-6


def normal_law(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each example over the models of [models, examples], for a normal law."""
    return values.mean(axis=0), np.maximum(values.std(axis=0, ddof=1), LEAST_SD)


def model_values(values: ArrayLike, side: str, least: int = 2) -> NDArray[np.float64]:
    """`values` as a checked float64 array [models, examples]; the input itself is never written to.

    Parameters
    ----------
    values : array [models, examples]
        Numbers of any real type, nested lists as well.
    side : str
        Name of the argument in messages.
    least : int
        Fewest models the metric can work with.

    Raises
    ------
    ValueError
        If the array is not 2-D, has too few models or no examples, or a value is no finite real number.
    """
    array = real(values, side)
    if array.ndim != 2:
        raise ValueError(f"{side} has shape {array.shape}: pass a 2-D array [models, examples]")
    models, examples = array.shape
    if models < least:
        raise ValueError(f"{side} has {models} models: at least {least} are needed, train more of them")
    if examples < 1:
        raise ValueError(f"{side} has no examples: pass the values of at least 1 example")
    refuse(np.isnan(array), array, side, "is not finite: look for a diverged model and leave it out")
    refuse(
        np.isinf(array),
        array,
        side,
        "is not finite: a logarithm saturates where p = 1 or p = 0 after rounding. Compute it in float64 from logits, "
        "or cut it at +-103.6, where the challenge's published code saturates",
    )
    return array


def real(values: ArrayLike, side: str) -> NDArray[np.float64]:
    """`values` as a float64 array; what is ragged, complex, text or hidden by a mask is refused."""
    if _is_masked(values):
        raise ValueError(
            f"{side} is a masked array that hides some of its values, and no metric can do without them: leave out the "
            "models or examples that are not known"
        )
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"it holds {array.dtype}")
        return np.asarray(array, dtype=np.float64)
    # RuntimeError: a tensor of PyTorch that requires a gradient.
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{side} is no array of real numbers ({error})") from error


def _is_masked(values: ArrayLike) -> bool:
    """Whether a mask hides any of the values: numpy's conversion would drop the mask and keep what it hides."""
    if isinstance(values, list | tuple):
        # Lists of numbers hold no masks; only what may be a row is looked into.
        return any(_is_masked(row) for row in values if isinstance(row, list | tuple | np.ndarray))
    return bool(np.ma.is_masked(values))


def refuse(bad: NDArray[np.bool_], array: NDArray[np.float64], side: str, problem: str) -> None:
    """Raise ValueError naming the first value that is `bad`, and how many are."""
    if bad.any():
        model, example = np.argwhere(bad)[0]
        raise ValueError(
            f"{side}: value {array[model, example]} of model {model}, example {example} {problem} "
            f"({int(bad.sum())} such values)"
        )


def both_sides(
    retrained: ArrayLike, unlearned: ArrayLike, least: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sides checked, on the same examples; the numbers of models may differ."""
    first, second = model_values(retrained, "retrained", least), model_values(unlearned, "unlearned", least)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"retrained has {first.shape[1]} examples and unlearned has {second.shape[1]}: "
            "record both on the same examples, in the same order"
        )
    return first, second
