"""split.npz as every job reads it: checked, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearning_metric.forget.split import Split
from unlearning_metric.store.files import StoreError, read_npz, rebuild_hint


def read_split(path: Path | str, key: str) -> tuple[Split, dict[str, Any]]:
    """Index sets and header of a split.

    Raises
    ------
    StoreError
        If the file is damaged or of another key, its sets do not fit their hash, or forget, retain and validation
        overlap.
    """
    arrays, header = read_npz(path, key)
    try:
        split = Split(**arrays).check()
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} is no valid split: {error}. {rebuild_hint(path)}") from error
    if split.order_hash() != header["order"]:
        raise StoreError(
            f"{path} is damaged: the hash of its index sets is {split.order_hash()}, its header says "
            f"{header['order']}. {rebuild_hint(path)}"
        )
    return split, header
