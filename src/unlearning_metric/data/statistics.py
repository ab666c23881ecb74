"""What an example is shifted and scaled by before a net sees it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.data.record import DataSettings

#: Examples summed at once, in double precision, and the most values.
CHUNK, VALUES = 4096, 2**24
#: Values of float32 that lie no more steps apart differ by rounding alone.
ROUNDING = 8


def normalisation(x: np.ndarray, settings: DataSettings) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by which a net's input is normalised, for each index of the last axis.

    The last axis is that of the channels of an image and of the features of a vector.

    Parameters
    ----------
    x : uint8 or float32 [examples, ..., channels], the training pool
    settings : ``normalize``, ``mean`` and ``std`` of the ``data`` part of the configuration

    Returns
    -------
    mean, std : float32 [channels], in the units of ``x``: 0..255 for uint8

    Raises
    ------
    DataError
        If mean and std of the configuration are for another number of channels.
    """
    channels = x.shape[-1]
    if settings.normalize == "none":
        return np.zeros(channels, np.float32), np.ones(channels, np.float32)
    if settings.normalize == "pool":
        return _pool_statistics(x)
    unit = 255.0 if x.dtype == np.uint8 else 1.0
    given = {"mean": settings.mean or [], "std": settings.std or []}
    for name, values in given.items():
        if len(values) != channels:
            raise DataError(f"data.{name} has {len(values)} values; the data have {channels} channels.")
    mean, std = (np.array([unit * value for value in values], np.float32) for values in given.values())
    return mean, std


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, float64 [channels].

    Parameters
    ----------
    x : [examples, ..., channels]
    """
    values = x.size // x.shape[-1]
    mean = sum(part.sum(axis=0) for part in chunks(x)) / values
    return mean, np.sqrt(sum(((part - mean) ** 2).sum(axis=0) for part in chunks(x)) / values)


def chunks(x: np.ndarray) -> Iterator[np.ndarray]:
    """Float64 [values, channels], some examples at a time."""
    yield from (part.astype(np.float64) for part in _parts(x))


def _parts(x: np.ndarray) -> Iterator[np.ndarray]:
    size = max(1, min(CHUNK, VALUES * len(x) // x.size))
    return (x[start : start + size].reshape(-1, x.shape[-1]) for start in range(0, len(x), size))


def constant(x: np.ndarray) -> np.ndarray:
    """Which channels have one value but for rounding: bool [channels].

    Float32 has that many steps between a channel's smallest and largest value, whatever its unit is.
    """
    low = np.min([part.min(axis=0) for part in _parts(x)], axis=0).astype(np.float32)
    high = np.max([part.max(axis=0) for part in _parts(x)], axis=0).astype(np.float32)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)))
    steps = ROUNDING if x.dtype.kind == "f" else 0
    return (high - low) <= steps * step


def _pool_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of the data themselves; a channel without any variation gets std 1."""
    mean, std = moments(x)
    return mean.astype(np.float32), np.where(constant(x), 1.0, std).astype(np.float32)
