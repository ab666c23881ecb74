"""The 1,797 real 8x8 digits that scikit-learn bundles (UCI optical recognition of handwritten digits)."""

from __future__ import annotations

import numpy as np

from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.record import DataSettings, Source

DEFAULT_TEST_SIZE = 360


def load(settings: DataSettings, rng: np.random.Generator) -> ImageData:
    """Stratified division into training pool and test set; ink 0..16 becomes 0..240."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images * 15).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    classes = len(np.unique(labels))
    test_size = settings.test_size or DEFAULT_TEST_SIZE
    if not classes <= test_size <= len(images) - classes:
        raise DataError(
            f"data.test_size is {test_size}; the digits have {len(images)} images, so it must lie in "
            f"{classes}..{len(images) - classes}."
        )
    seed = int(rng.integers(2**31))
    train, test = train_test_split(np.arange(len(images)), test_size=test_size, stratify=labels, random_state=seed)
    train, test = np.sort(train), np.sort(test)
    names = tuple(str(name) for name in digits.target_names)
    return ImageData(images[train], labels[train], images[test], labels[test], classes=names)


SOURCE = Source("digits", load, "the 1,797 digits that scikit-learn bundles; nothing is downloaded", divides=True)
