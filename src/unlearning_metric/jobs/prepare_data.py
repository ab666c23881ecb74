"""Data source -> dataset.npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.data import load_data
from unlearning_metric.progress import LOGGER
from unlearning_metric.seeds import Streams
from unlearning_metric.store import write_npz


def prepare_data(out: Path | str, settings: dict[str, Any], experiment_seed: int, provenance: dict[str, Any]) -> None:
    """Load the configured source and store it: uint8 images [N, H, W, C], int64 labels, channel statistics.

    ``provenance`` (key and origin) begins the header. ``mean`` and ``std`` (float32 [channels], pixel scale 0..255)
    are those of the training pool; a channel without any variation gets std 1.
    """
    data = load_data(settings, Streams(experiment_seed, "data").numpy("test_division"))
    pixels = data.x_train.reshape(-1, data.x_train.shape[-1])
    std = pixels.std(axis=0, dtype=np.float64)
    arrays = {
        "x_train": data.x_train,
        "y_train": data.y_train,
        "x_test": data.x_test,
        "y_test": data.y_test,
        "mean": pixels.mean(axis=0, dtype=np.float64).astype(np.float32),
        "std": np.where(std > 0, std, 1.0).astype(np.float32),
    }
    if data.groups_train is not None:
        arrays["groups_train"] = data.groups_train
    write_npz(out, arrays, {**provenance, "source": settings["source"], "num_classes": data.num_classes})
    shape = " x ".join(map(str, data.x_train.shape[1:]))
    LOGGER.info(
        "%s: %d training and %d test images of %s, %d classes",
        settings["source"], len(data.x_train), len(data.x_test), shape, data.num_classes,
    )  # fmt: skip
