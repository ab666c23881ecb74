"""Whether arrays of images have their channels last, as they are stored here, or first, as PyTorch has them."""

from __future__ import annotations

import numpy as np

#: Numbers of channels that images have.
CHANNELS = (1, 3, 4)
#: No image is narrower; what is, may be a map of features, whose last axis is long.
LEAST_SIDE = 5
#: Nor is the longer side of one more than so many times the shorter.
LARGEST_ASPECT = 4


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether [images, channels, height, width] is what a shape shows: as [images, height, width, channels] it would be
    images of one, three or four rows with many channels."""
    if len(shape) != 4:
        return False
    channels, height, width = shape[1:]
    sides = sorted((height, width))
    as_image = sides[0] >= LEAST_SIDE and sides[1] <= LARGEST_ASPECT * sides[0]
    # Four rows and many channels is also the size of a map of features.
    return channels in CHANNELS and as_image and (channels < 4 or height == width)


def channels_last(x: np.ndarray, name: str) -> tuple[np.ndarray, str | None]:
    """Images with their channels last, and a warning if they were first; anything else as it is.

    Parameters
    ----------
    x : [examples, ...]
    name : of the array, for the warning
    """
    if not is_channels_first(x.shape):
        return x, None
    turned = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    return turned, (
        f"{name} is {list(x.shape)}, and is taken as channels first: {_words(turned.shape)}. If {_words(x.shape)} are "
        f"meant, give them as vectors, {name}.reshape(len({name}), -1), for the model mlp"
    )


def _words(shape: tuple[int, ...]) -> str:
    height, width, channels = shape[1:]
    return f"images of {height} x {width} pixels with {channels} channel{'s' * (channels > 1)}"
