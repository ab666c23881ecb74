"""Per-example outputs of an ensemble: written by a dump job, gathered again for scoring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.store import StoreError, read_parquet

#: Roles of examples whose rows are kept, in the order of the rows.
ROLES = ("forget", "probe", "validation", "test")
#: Sets of examples whose accuracy is kept for each model; retain is all of the retain set.
ACCURACIES = ("retain", "forget", "validation", "test")


def rows(
    outputs: dict[int, dict[str, dict[str, np.ndarray]]],
    indices: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Columns of a dump, a row for each (model, example): model by model, role by role.

    Parameters
    ----------
    outputs : model -> role -> signals, arrays [examples] (see `outputs.signals`)
    indices, labels : role -> [examples]
    """
    columns: dict[str, list[np.ndarray]] = {}
    for model, by_role in outputs.items():
        for role in ROLES:
            count = len(indices[role])
            parts = {
                "model": np.full(count, model, dtype=np.int32),
                "role": np.full(count, ROLES.index(role), dtype=np.int8),
                "example": indices[role].astype(np.int32),
                "label": labels[role].astype(np.int32),
                **by_role[role],
            }
            for name, values in parts.items():
                columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    import pyarrow as pa

    joined["role"] = pa.DictionaryArray.from_arrays(joined["role"], list(ROLES))
    return joined


@dataclass(frozen=True)
class Ensemble:
    """Outputs of several models on the forget set, and what is kept for each model.

    Attributes
    ----------
    models : int [models], ascending
    examples, labels : int [examples], forget examples in the split's order
    confidence, loss : float64 [models, examples]
    correct : bool [models, examples]
    accuracy : set name -> float64 [models]
    diverged : model indices
    seconds : float64 [models], what making each model took
    runs : one record a shard of where it was made
    """

    models: np.ndarray
    examples: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray
    correct: np.ndarray
    accuracy: dict[str, np.ndarray]
    diverged: list[int]
    seconds: np.ndarray
    runs: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.models)


def _forget_block(path: Path | str, key: str) -> tuple[Any, dict[str, Any]]:
    frame, header = read_parquet(path, key)
    frame = frame[frame["role"] == "forget"]
    if frame["model"].nunique() * frame["example"].nunique() != len(frame) or frame.empty:
        raise StoreError(f"{path} lacks rows or repeats some ({len(frame)} forget rows). Delete it and run again.")
    return frame, header


def load_ensemble(paths: Iterable[Path | str], key: str, count: int) -> Ensemble:
    """Gather the dumps of models 0..count-1.

    Parameters
    ----------
    paths : dumps of all shards, in order
    key : the key they must carry
    count : number of models that must be there

    Raises
    ------
    StoreError
        If a dump is damaged, has another key or order of examples, or models are missing or double.
    """
    blocks = [_forget_block(path, key) for path in paths]
    orders = {header["order"] for _, header in blocks}
    if len(orders) != 1:
        raise StoreError(f"dumps {', '.join(map(str, paths))} list their examples in different orders.")
    models = np.concatenate([header["models"] for _, header in blocks])
    if sorted(models) != list(range(count)):
        lost = sorted(set(range(count)) - set(models))
        raise StoreError(
            f"the dumps hold {len(models)} models, needed are 0..{count - 1} once each; missing: {lost or 'none'}. "
            f"Delete the wrong file among {', '.join(map(str, paths))} and run again."
        )
    first = blocks[0][0]
    examples = first.loc[first["model"] == first["model"].iloc[0], "example"].to_numpy()

    def matrix(column: str) -> np.ndarray:
        return np.concatenate([frame[column].to_numpy().reshape(-1, len(examples)) for frame, _ in blocks])

    if not (matrix("example") == examples).all():
        raise StoreError(f"dumps {', '.join(map(str, paths))} do not list the same examples for every model.")
    order = np.argsort(models)
    headers = [header for _, header in blocks]
    return Ensemble(
        models=models[order],
        examples=examples,
        labels=matrix("label")[0],
        confidence=matrix("confidence")[order].astype(np.float64),
        loss=matrix("loss")[order].astype(np.float64),
        correct=matrix("correct")[order].astype(bool),
        accuracy={
            name: np.concatenate([np.asarray(h["accuracy"][name], dtype=np.float64) for h in headers])[order]
            for name in ACCURACIES
        },
        diverged=sorted(int(i) for h in headers for i in h["diverged"]),
        seconds=np.concatenate([np.asarray(h["run"]["seconds"], dtype=np.float64) for h in headers])[order],
        runs=[{key: value for key, value in h["run"].items() if key != "seconds"} for h in headers],
    )
