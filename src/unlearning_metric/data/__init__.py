"""Labelled examples from a named source: one small file a source, one entry in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from unlearning_metric.data import casia_surf, digits, downloads, image_folder, npz
from unlearning_metric.data.images import ImageData

#: source name -> function(``data`` part of the configuration, rng) -> ImageData.
SOURCES: dict[str, Callable[[dict[str, Any], np.random.Generator], ImageData]] = {
    "digits": digits.load,
    **dict.fromkeys(downloads.KINDS, downloads.load),
    "npz": npz.load,
    "image_folder": image_folder.load,
    "casia_surf": casia_surf.load,
}


def load_data(settings: dict[str, Any], rng: np.random.Generator) -> ImageData:
    """Load the data source named by ``settings["source"]``.

    Raises
    ------
    DataError
        If the data cannot be read or do not have the form of labelled examples.
    """
    return SOURCES[settings["source"]](settings, rng)
