"""dataset.npz -> split.npz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.config import SplitSettings
from unlearning_metric.forget.split import Pool, count_duplicates, make_second_split, make_split
from unlearning_metric.forget.split_file import read_split
from unlearning_metric.progress import LOGGER
from unlearning_metric.store.files import read_npz, write_npz
from unlearning_metric.store.stored import Stored
from unlearning_metric.user_code.unchanged_files import refuse_edited


def split_data(
    dataset: Stored,
    out: Path | str,
    settings: SplitSettings | Mapping[str, Any],
    experiment_seed: int,
    provenance: dict[str, Any],
    difficulty: Stored | None = None,
    apart_from: Stored | None = None,
) -> None:
    """Choose the index sets of the experiment and store them with the hash of their order.

    ``provenance`` (key and origin) begins the header, which also says how many forget examples have a duplicate among
    the retain examples, and what is doubtful about data and list (``warnings``).

    Parameters
    ----------
    difficulty : file of `jobs.difficulty`, for a strategy that needs it
    apart_from : file of another split, whose forget set this one leaves out
    """
    settings = SplitSettings.model_validate(settings)
    refuse_edited(provenance, {"forget.path": settings.forget.path})
    data, header = read_npz(*dataset)
    warnings: list[str] = []
    pool = Pool(
        data["y_train"],
        header["classes"],
        data.get("groups_train"),
        data.get("validation"),
        None if difficulty is None else read_npz(*difficulty)[0]["loss"],
    )
    if apart_from is None:
        split = make_split(pool, data["y_test"], settings, experiment_seed, warnings.append)
    else:
        first = read_split(*apart_from)[0]
        split = make_second_split(first, pool, settings, experiment_seed, warnings.append)
    duplicates = count_duplicates(data["x_train"], split)
    write_npz(
        out,
        split.arrays(),
        {
            **provenance,
            "order": split.order_hash(),
            "duplicates": duplicates,
            "warnings": [*header.get("warnings", ()), *warnings],
        },
    )
    for warning in warnings:
        LOGGER.warning("warning: %s", warning)
    LOGGER.info("%s", ", ".join(f"{len(part)} {name}" for name, part in split.arrays().items()))
    if duplicates:
        LOGGER.warning(
            "warning: %d of %d forget examples are in the retain set as well, value by value: forgetting them is "
            "undefined. Remove the duplicates from the data",
            duplicates, len(split.forget),
        )  # fmt: skip
    _log_absent_classes(data["y_train"], split.retain, header["classes"])


def _log_absent_classes(labels: np.ndarray, retain: np.ndarray, classes: list[str]) -> None:
    present = set(labels[retain])
    absent = [name for number, name in enumerate(classes) if number not in present]
    if absent:
        LOGGER.info("no retain example is of: %s", ", ".join(absent))
