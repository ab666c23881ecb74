"""What an example is shifted and scaled by before a net sees it."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError

#: Examples summed at once, in double precision.
CHUNK = 4096


def normalisation(x: np.ndarray, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
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
    if settings["normalize"] == "none":
        return np.zeros(channels, np.float32), np.ones(channels, np.float32)
    if settings["normalize"] == "pool":
        return _pool_statistics(x)
    unit = 255.0 if x.dtype == np.uint8 else 1.0
    for name in ("mean", "std"):
        if len(settings[name]) != channels:
            raise DataError(f"data.{name} has {len(settings[name])} values; the data have {channels} channels.")
    return tuple(np.array([unit * value for value in settings[name]], np.float32) for name in ("mean", "std"))


def _pool_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of the data themselves; a channel without any variation gets std 1."""
    values = x.size // x.shape[-1]

    def total(of: Any) -> np.ndarray:
        chunks = (x[start : start + CHUNK] for start in range(0, len(x), CHUNK))
        return sum(of(chunk.reshape(-1, x.shape[-1]).astype(np.float64)).sum(axis=0) for chunk in chunks)

    mean = total(lambda part: part) / values
    std = np.sqrt(total(lambda part: (part - mean) ** 2) / values)
    return mean.astype(np.float32), np.where(std > 0, std, 1.0).astype(np.float32)
