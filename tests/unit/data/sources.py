"""Loads a source as the workflow does: with every setting of the data there."""

import numpy as np

from unlearning_metric import config
from unlearning_metric.data import load_data
from unlearning_metric.data.images import ImageData


def settings(source: str, **given) -> config.Data:
    """The ``data`` part of a configuration."""
    return config.Data(source=source, **given)


def load(source: str, **given) -> ImageData:
    """A source's data."""
    return load_data(settings(source, **given), np.random.default_rng(0))
