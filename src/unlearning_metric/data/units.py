"""Whether pixels, statistics and both pools are in one unit: 0..255 and 0..1 are easily mixed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.data.record import DataSettings
from unlearning_metric.data.statistics import chunks, moments

#: Bytes and numbers 0..1 differ by this factor.
BYTE = 255.0
#: Normalised by fitting statistics, a pool has standard deviation 1, give or take this factor, and mean 0 within it.
FITS = 3.0
#: A standard deviation that is off by this factor does not fit.
MISFIT = 10.0
#: So many standard deviations away lie test examples in another unit, or in a feature that hardly varies.
FAR = 1000.0


def unit_warnings(
    x_train: np.ndarray, x_test: np.ndarray, mean: np.ndarray, std: np.ndarray, settings: DataSettings
) -> list[str]:
    """What speaks for two units among training examples, test examples and statistics, a sentence each.

    Parameters
    ----------
    x_train, x_test : uint8 or float32 [examples, ..., channels]
    mean, std : float32 [channels], by which a net's input is normalised
    settings : ``normalize``, ``mean`` and ``std`` of the ``data`` part of the configuration

    Raises
    ------
    DataError
        If the configuration's mean lies outside 0..1, which that of bytes cannot do.
    """
    found = []
    if settings.normalize == "given":
        found += _given_statistics(x_train, mean, std, settings)
    found += _test_pool(x_train, x_test, mean, std) if settings.normalize == "pool" else _other_scale(x_train, x_test)
    if x_train.dtype != np.uint8:
        found += _signs(x_train, x_test)
    return found


def _given_statistics(x: np.ndarray, mean: np.ndarray, std: np.ndarray, settings: DataSettings) -> Iterator[str]:
    given = settings.mean or []
    shown = ", ".join(f"{value:g}" for value in given)
    if x.dtype == np.uint8 and max(given) > 1:
        raise DataError(
            f"data.mean is {shown}: it and data.std are on the scale 0..1, and the mean of bytes, taken as 0..1, "
            f"is at most 1. Divide both by {BYTE:g}."
        )
    if (mean == 0).all() and (std == 1).all():
        # Pixels as they are.
        return
    pool_mean, pool_std = moments(x)
    if (pool_std == 0).all():
        return

    def fit(factor: float) -> tuple[float, float]:
        """Median over the channels of |mean| and standard deviation after normalisation."""
        shifted = np.abs(pool_mean - factor * mean) / (factor * std)
        return float(np.median(shifted)), float(np.median(pool_std / (factor * std)))

    shift, spread = fit(1)
    for factor in (BYTE, 1 / BYTE):
        other_shift, other_spread = fit(factor)
        if not 1 / MISFIT < spread < MISFIT and 1 / FITS < other_spread < FITS and other_shift < FITS:
            pixels, statistics = ("0..255", "0..1") if factor == BYTE else ("0..1", "0..255")
            yield (
                f"data.mean {shown} and data.std do not fit the training examples: normalised by them, a net's input "
                f"has mean +-{shift:.3g} and standard deviation {spread:.3g} instead of 0 and 1. Are the pixels "
                f"{pixels} and the statistics those of pixels {statistics}? Then bring both to one scale; else this is "
                "as meant"
            )


def _test_pool(x_train: np.ndarray, x_test: np.ndarray, mean: np.ndarray, std: np.ndarray) -> Iterator[str]:
    """Of test examples that lie elsewhere than training examples, once these have mean 0 and standard deviation 1."""
    scale = list(_other_scale(x_train, x_test))
    yield from scale
    if scale:
        return
    farthest = np.zeros(len(mean))
    for part in chunks(x_test):
        farthest = np.maximum(farthest, (np.abs(part - mean) / std).max(axis=0))
    far = np.flatnonzero(farthest > FAR)
    if len(far):
        yield (
            f"test examples lie up to {farthest.max():.3g} standard deviations of the training pool away from its "
            f"mean, in {len(far)} of {len(mean)} channels or features, the first is {far[0]}: it hardly varies in the "
            "training pool, or its unit differs between the pools. Remove it, or bring both pools to one scale"
        )


def _other_scale(x_train: np.ndarray, x_test: np.ndarray) -> Iterator[str]:
    (train_mean, train_std), (test_mean, test_std) = moments(x_train), moments(x_test)
    varies = (train_std > 0) & (test_std > 0)
    if not varies.any():
        return
    spread = float(np.median(test_std[varies] / train_std[varies]))
    if not 1 / MISFIT < spread < MISFIT:
        yield (
            f"training and test examples differ in scale: standard deviation {np.median(train_std):.3g} and "
            f"{np.median(test_std):.3g}, mean {np.median(train_mean):.3g} and {np.median(test_mean):.3g} (medians over "
            "the channels or features). Is one of them 0..255 and the other 0..1? Then bring both to one scale; else "
            "test examples are quite unlike training examples, and this is as meant"
        )


def _signs(x_train: np.ndarray, x_test: np.ndarray) -> Iterator[str]:
    """Of one pool alone that has values below zero: -1..1 or standardised against 0..1."""
    pools = {"training": _share_with_negatives(x_train), "test": _share_with_negatives(x_test)}
    for name, other in (("training", "test"), ("test", "training")):
        share, count = pools[name][0], pools[other][1]
        # As many examples of the other pool, were it alike, would hold none by a chance below 1e-4.
        if pools[other][0] == 0 and share > 0 and count * np.log1p(-min(share, 0.999)) < np.log(1e-4):
            yield (
                f"{share:.0%} of the {name} examples hold values below 0, and no {other} example does: is one pool "
                "-1..1 or standardised, and the other 0..1? Then bring both to one scale; else this is as meant"
            )


def _share_with_negatives(x: np.ndarray) -> tuple[float, int]:
    return float((x.reshape(len(x), -1).min(axis=1) < 0).mean()), len(x)
