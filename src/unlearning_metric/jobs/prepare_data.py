"""Data source -> dataset.npz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.config import Data
from unlearning_metric.data import load_data
from unlearning_metric.data.statistics import normalisation
from unlearning_metric.data.units import unit_warnings
from unlearning_metric.progress import LOGGER
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import write_npz
from unlearning_metric.user_code.unchanged_files import refuse_edited


def prepare_data(
    out: Path | str, settings: Data | Mapping[str, Any], experiment_seed: int, provenance: dict[str, Any]
) -> None:
    """Load the configured source and store it: examples [N, ...], int64 labels, what a net's input is normalised by.

    ``provenance`` (key and origin) begins the header, which also says what the source calls each class, and what is
    doubtful about the data (``warnings``). ``mean`` and
    ``std`` are those of `data.statistics.normalisation`. ``groups_train`` and ``validation`` are there where the
    source has them.

    Parameters
    ----------
    settings : the ``data`` part of the configuration
    """
    settings = Data.model_validate(settings)
    refuse_edited(provenance, {"content": settings.path})
    data = load_data(settings, Streams(experiment_seed, "data").numpy("test_division"))
    mean, std = normalisation(data.x_train, settings)
    warnings = [*data.warnings, *unit_warnings(data.x_train, data.x_test, mean, std, settings)]
    arrays = {
        "x_train": data.x_train,
        "y_train": data.y_train,
        "x_test": data.x_test,
        "y_test": data.y_test,
        "mean": mean,
        "std": std,
    }
    optional = {"groups_train": data.groups_train, "validation": data.validation}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    classes = data.classes or tuple(str(number) for number in range(data.num_classes))
    header = {
        **provenance,
        "source": settings.source,
        "num_classes": data.num_classes,
        "classes": list(classes),
        "warnings": warnings,
    }
    write_npz(out, arrays, header)
    for note in data.notes:
        LOGGER.info("%s", note)
    for warning in warnings:
        LOGGER.warning("warning: %s", warning)
    unseen = sorted({*data.y_test.tolist()} - {*data.y_train.tolist()})
    if unseen:
        LOGGER.warning(
            "warning: no training example is of %s, which test examples are of: no model can learn it",
            ", ".join(classes[number] for number in unseen),
        )
    shape = " x ".join(map(str, data.x_train.shape[1:]))
    LOGGER.info(
        "%s: %d training and %d test examples of %s, %d classes",
        settings.source, len(data.x_train), len(data.x_test), shape, data.num_classes,
    )  # fmt: skip
