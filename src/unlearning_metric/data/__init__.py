"""Image data from a named source: one small file a source, one entry in the table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from unlearning_metric.data.images import ImageData

#: name -> module of this package that holds ``load(settings, rng) -> ImageData``
SOURCES = {"digits": "digits", "npz": "npz"}


def load_data(settings: dict[str, Any], rng: np.random.Generator) -> ImageData:
    """Load the data source named by ``settings["source"]``.

    Raises
    ------
    DataError
        If the data cannot be read or do not have the form of labelled images.
    """
    load: Callable[[dict[str, Any], np.random.Generator], ImageData]
    load = import_module(f"{__name__}.{SOURCES[settings['source']]}").load
    return load(settings, rng)
