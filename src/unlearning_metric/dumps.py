"""Per-example outputs of an ensemble: written by a dump job, gathered again for scoring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.shards import shard_models
from unlearning_metric.store import StoreError, read_parquet, rebuild_hint

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
    order : hash of the split's index sets, as the dumps state it
    models : int [models], ascending
    examples, labels : int [examples], forget examples in the split's order
    confidence, loss : float64 [models, examples]
    correct : bool [models, examples]
    accuracy : set name -> float64 [models]
    diverged : model indices
    seconds : float64 [models], what making each model took
    runs : one record a shard of where it was made
    passes : ``retain``, ``forget`` and ``validation`` -> float64 [models], examples that making the model read / size
        of the set; empty where it was not counted
    """

    order: str
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
    passes: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.models)


class DivergedError(RuntimeError):
    """Models diverged, and the configuration says that this stops the run."""


def refuse_diverged(policy: str, group: str, diverged: list[int]) -> None:
    """Raise `DivergedError` if ``policy`` is "fail" and there are diverged models in ``group``."""
    if policy == "fail" and diverged:
        raise DivergedError(
            f"{group}: models {', '.join(map(str, diverged))} have non-finite parameters or outputs, and on_diverged "
            "is fail. Mend the method or the recipe, or set on_diverged: keep, which counts them as wrong everywhere."
        )


def _forget_block(path: Path | str, key: str) -> tuple[Any, dict[str, Any]]:
    frame, header = read_parquet(path, key)
    named = shard_models(Path(path).stem)
    if named and header["models"] != named:
        raise StoreError(
            f"{path} holds models {header['models']}, its name says {named[0]}..{named[-1]}: it lies in the place of "
            f"another. {rebuild_hint(path)}"
        )
    frame = frame[frame["role"] == "forget"]
    if frame["model"].nunique() * frame["example"].nunique() != len(frame) or frame.empty:
        raise StoreError(f"{path} lacks rows or repeats some ({len(frame)} forget rows). {rebuild_hint(path)}")
    if frame["model"].unique().tolist() != header["models"]:
        raise StoreError(
            f"{path} has rows of models {frame['model'].unique().tolist()}, its header says {header['models']}. "
            f"{rebuild_hint(path)}"
        )
    for column in ("confidence", "loss"):
        bad = ~np.isfinite(frame[column].to_numpy())
        if bad.any():
            row = frame[bad].iloc[0]
            raise StoreError(
                f"{path}: {column} of model {row['model']}, example {row['example']} is {row[column]} "
                f"({int(bad.sum())} such rows). {rebuild_hint(path)}"
            )
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
    paths = list(paths)
    blocks = [_forget_block(path, key) for path in paths]
    orders = {header["order"] for _, header in blocks}
    if len(orders) != 1:
        listed = ", ".join(f"{path} ({header['order']})" for path, (_, header) in zip(paths, blocks, strict=True))
        raise StoreError(f"the dumps come from different splits (hash of the order of examples): {listed}.")
    models = np.concatenate([header["models"] for _, header in blocks])
    if sorted(models) != list(range(count)):
        lost = sorted(set(range(count)) - set(models))
        raise StoreError(
            f"the dumps hold {len(models)} models, needed are 0..{count - 1} once each; missing: {lost or 'none'}. "
            f"Delete the wrong one among {', '.join(map(str, paths))} and run again."
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
        order=orders.pop(),
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
        runs=[{key: value for key, value in h["run"].items() if key not in {"seconds", "passes"}} for h in headers],
        passes=_passes(headers, order),
    )


def _passes(headers: list[dict[str, Any]], order: np.ndarray) -> dict[str, np.ndarray]:
    """Passes over each set, by model in ascending order; only methods' copies are counted."""
    counted = [header["run"].get("passes") for header in headers]
    if not all(counted):
        return {}
    return {
        name: np.concatenate([np.asarray(one[name], dtype=np.float64) for one in counted])[order] for name in counted[0]
    }


def refuse_mixed(sides: Mapping[str, Ensemble]) -> None:
    """Check that the sides of a score belong together and are not the same models.

    Parameters
    ----------
    sides : ``retrained`` and what is compared with it, by name

    Raises
    ------
    StoreError
        If a side lists other examples, or in another order, or shares a model with the retrained side: the same
        models on both sides would score 1.0 and mean nothing. Diverged models are alike without being the same.
    """
    retrained = sides["retrained"]
    known = {row.tobytes(): model for model, row in _sound_rows(retrained)}
    for name, side in sides.items():
        if side is retrained:
            continue
        if side.order != retrained.order or not np.array_equal(side.examples, retrained.examples):
            raise StoreError(
                f"the dumps of the {name} models list other forget examples, or in another order, than those of the "
                f"retrained models (hash of the split {side.order}, {retrained.order}). Both must come from one split: "
                "delete the wrong side's dumps and run again."
            )
        for model, row in _sound_rows(side):
            if row.tobytes() in known:
                raise StoreError(
                    f"model {model} of the {name} side has the same outputs, bit by bit, as retrained model "
                    f"{known[row.tobytes()]}: a checkpoint or a seed is shared between the sides, and the score would "
                    "mean nothing. Use separate models."
                )


def _sound_rows(side: Ensemble) -> Iterable[tuple[int, np.ndarray]]:
    """Model index and confidences of each model that did not diverge."""
    for model, row in zip(side.models, side.confidence, strict=True):
        if model not in side.diverged:
            yield int(model), row
