"""dataset.npz -> split.npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearning_metric.forget import make_split
from unlearning_metric.progress import LOGGER
from unlearning_metric.store import read_npz, write_npz


def split_data(
    dataset: Path | str,
    dataset_key: str,
    out: Path | str,
    settings: dict[str, Any],
    experiment_seed: int,
    provenance: dict[str, Any],
) -> None:
    """Choose the index sets of the experiment and store them with the hash of their order.

    ``provenance`` (key and origin) begins the header.
    """
    data, _ = read_npz(dataset, dataset_key)
    split = make_split(data["y_train"], data["y_test"], settings, experiment_seed)
    write_npz(out, split.arrays(), {**provenance, "order": split.order_hash()})
    LOGGER.info("%s", ", ".join(f"{len(part)} {name}" for name, part in split.arrays().items()))
