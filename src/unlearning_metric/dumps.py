"""Per-example outputs of an ensemble: written by a dump job, gathered again for scoring."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.ensemble import ACCURACIES, ROLES, Ensemble, Outputs
from unlearning_metric.shards import shard_models
from unlearning_metric.store import StoreError, read_parquet, rebuild_hint


def rows(
    outputs: dict[int, dict[str, dict[str, np.ndarray]]],
    indices: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    groups: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Columns of a dump, a row for each (model, example): model by model, role by role.

    Parameters
    ----------
    outputs : model -> role -> signals, arrays [examples] (see `outputs.signals`); all models have the same roles
    indices, labels : role -> [examples]
    groups : role -> [examples], where the data have groups
    """
    columns: dict[str, list[np.ndarray]] = {}
    for model, by_role in outputs.items():
        for role in (role for role in ROLES if role in by_role):
            count = len(indices[role])
            parts = {
                "model": np.full(count, model, dtype=np.int32),
                "role": np.full(count, ROLES.index(role), dtype=np.int8),
                "example": indices[role].astype(np.int32),
                "label": labels[role].astype(np.int32),
                **({} if groups is None else {"group": groups[role].astype(np.int32)}),
                **by_role[role],
            }
            for name, values in parts.items():
                columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    import pyarrow as pa

    joined["role"] = pa.DictionaryArray.from_arrays(joined["role"], list(ROLES))
    return joined


def _checked_rows(path: Path | str, key: str) -> tuple[Any, dict[str, Any]]:
    """Rows and header of one dump: every model once with every example, finite."""
    frame, header = read_parquet(path, key)
    named = shard_models(Path(path).stem)
    if named and header["models"] != named:
        raise StoreError(
            f"{path} holds models {header['models']}, its name says {named[0]}..{named[-1]}: it lies in the place of "
            f"another. {rebuild_hint(path)}"
        )
    for role in ROLES:
        part = frame[frame["role"] == role]
        if part["model"].nunique() * part["example"].nunique() != len(part) or (role == "forget" and part.empty):
            raise StoreError(f"{path} lacks rows or repeats some ({len(part)} {role} rows). {rebuild_hint(path)}")
        if len(part) and part["model"].unique().tolist() != header["models"]:
            raise StoreError(
                f"{path} has {role} rows of models {part['model'].unique().tolist()}, its header says "
                f"{header['models']}. {rebuild_hint(path)}"
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


def _gather(frames: list[Any], paths: list[Any], role: str, order: np.ndarray) -> tuple[Outputs, np.ndarray | None]:
    """Outputs of one role over all dumps, and the examples' groups; ``order`` sorts the models."""
    frames = [frame[frame["role"] == role] for frame in frames]
    first = frames[0]
    examples = first.loc[first["model"] == first["model"].iloc[0], "example"].to_numpy()

    def matrix(column: str) -> np.ndarray:
        return np.concatenate([frame[column].to_numpy().reshape(-1, len(examples)) for frame in frames])[order]

    if any(len(frame) % len(examples) for frame in frames) or not (matrix("example") == examples).all():
        raise StoreError(f"dumps {', '.join(map(str, paths))} do not list the same examples for every model.")
    outputs = Outputs(
        examples=examples,
        labels=matrix("label")[0],
        confidence=matrix("confidence").astype(np.float64),
        loss=matrix("loss").astype(np.float64),
        correct=matrix("correct").astype(bool) if "correct" in first else None,
    )
    return outputs, matrix("group")[0] if "group" in first else None


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
    blocks = [_checked_rows(path, key) for path in paths]
    frames, headers = [frame for frame, _ in blocks], [header for _, header in blocks]
    orders = {header["order"] for header in headers}
    if len(orders) != 1:
        listed = ", ".join(f"{path} ({header['order']})" for path, header in zip(paths, headers, strict=True))
        raise StoreError(f"the dumps come from different splits (hash of the order of examples): {listed}.")
    models = np.concatenate([header["models"] for header in headers])
    if sorted(models) != list(range(count)):
        lost = sorted(set(range(count)) - set(models))
        raise StoreError(
            f"the dumps hold {len(models)} models, needed are 0..{count - 1} once each; missing: {lost or 'none'}. "
            f"Delete the wrong one among {', '.join(map(str, paths))} and run again."
        )
    order = np.argsort(models)
    present = [role for role in ROLES if all((frame["role"] == role).any() for frame in frames)]
    gathered = {role: _gather(frames, paths, role, order) for role in present}

    def per_model(lists: list[Any]) -> np.ndarray:
        return np.concatenate([np.asarray(values, dtype=np.float64) for values in lists])[order]

    # Only methods' copies count what they read.
    counted = [header["run"].get("passes") for header in headers]
    timed = all("seconds" in header["run"] for header in headers)
    return Ensemble(
        order=orders.pop(),
        models=models[order],
        roles={role: outputs for role, (outputs, _) in gathered.items()},
        accuracy={
            name: per_model([header["accuracy"][name] for header in headers])
            for name in ACCURACIES
            if all(name in header["accuracy"] for header in headers)
        },
        diverged=sorted(int(i) for header in headers for i in header["diverged"]),
        seconds=per_model([header["run"]["seconds"] for header in headers]) if timed else np.empty(0),
        runs=[
            {name: v for name, v in header["run"].items() if name not in {"seconds", "passes"}} for header in headers
        ],
        groups=gathered["forget"][1],
        duplicates=headers[0].get("duplicates"),
        passes={name: per_model([passes[name] for passes in counted]) for name in counted[0]} if all(counted) else {},
    )
