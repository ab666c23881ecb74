"""Labelled examples from a named source: one small file and one record a source, and their list.

`python -m unlearning_metric.config config/README.md` writes what the records say into the page.
"""

from __future__ import annotations

import numpy as np

from unlearning_metric.data import casia_surf, digits, downloads, image_folder, medmnist, npz
from unlearning_metric.data.images import ImageData
from unlearning_metric.data.record import DataSettings, Source

#: Name of a source -> its record, in the order in which they are documented.
SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        digits.SOURCE,
        *downloads.SOURCES,
        npz.SOURCE,
        image_folder.SOURCE,
        medmnist.SOURCE,
        casia_surf.SOURCE,
    )
}


def load_data(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Load the data source named by ``settings.source``.

    Raises
    ------
    DataError
        If the data cannot be read or do not have the form of labelled examples.
    """
    return SOURCES[settings.source].load(settings, rng)
