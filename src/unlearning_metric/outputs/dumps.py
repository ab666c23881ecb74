"""Per-example outputs of an ensemble: written by a dump job, gathered again for scoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.outputs.ensemble import ACCURACIES, ROLES, Ensemble, Outputs
from unlearning_metric.store.files import ForeignError, StoreError, arrow_categories, open_parquet, rebuild_hint
from unlearning_metric.store.shards import shard_models


def labels_of_roles(
    data: Mapping[str, np.ndarray], indices: Mapping[str, np.ndarray], roles: Iterable[str]
) -> dict[str, np.ndarray]:
    """Role -> labels [examples], of the examples of these indices into the pools of a data set."""
    return {role: data["y_test" if role == "test" else "y_train"][indices[role]] for role in roles}


def groups_of_roles(
    data: Mapping[str, np.ndarray], indices: Mapping[str, np.ndarray], roles: Iterable[str]
) -> dict[str, np.ndarray] | None:
    """Role -> group [examples], -1 for test examples, which have none; None where the data have no groups."""
    if "groups_train" not in data:
        return None
    return {
        role: np.full(len(indices[role]), -1) if role == "test" else data["groups_train"][indices[role]]
        for role in roles
    }


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
            parts: dict[str, np.ndarray] = {
                "model": np.full(count, model, dtype=np.int32),
                "role": np.full(count, ROLES.index(role), dtype=np.int8),
                "example": indices[role].astype(np.int32),
                "label": labels[role].astype(np.int32),
                **({} if groups is None else {"group": groups[role].astype(np.int64)}),
                **by_role[role],
            }
            for name, values in parts.items():
                columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    joined["role"] = arrow_categories(joined["role"], ROLES)
    return joined


Block = dict[str, Any]
SIGNALS = ("confidence", "loss", "correct")
#: Role -> the signals that a score needs of it. The probe may be the whole retain set, so nothing else is kept of it.
NEEDED = {"forget": ("confidence", "loss", "correct"), "probe": ("confidence",), "test": ("confidence", "loss")}


#: What the header of a dump says, and the columns that every dump has.
HEADER_PARTS = {"models": list, "order": str, "accuracy": dict, "diverged": list, "run": dict}
COLUMNS = ("model", "role", "example", "label", "confidence")
#: What the record of a run says of each model.
PER_MODEL = frozenset({"seconds", "passes", "examples", "retraining"})


def _checked_block(path: Path | str, key: str | None, roles: Iterable[str]) -> tuple[dict[str, Block], dict[str, Any]]:
    """One dump, with every model once with every example and all of it finite, and its header.

    Returns
    -------
    role -> ``example``, ``label``, ``group`` [examples], ``same`` (whether every model lists the same examples) and the
    signals needed [models, examples]; those of roles other than forget are float32, as the logits that they come from.
    A column at a time is read: all of them are several times what is kept.
    """
    read, names, header = open_parquet(path, key)
    lacking = [name for name, kind in HEADER_PARTS.items() if not isinstance(header.get(name), kind)]
    lacking += [name for name in COLUMNS if name not in names]
    if lacking:
        raise ForeignError(
            f"{path} was not written by this workflow: it lacks a valid {', '.join(lacking)}. {rebuild_hint(path)}"
        )
    named = shard_models(Path(path).stem)
    if named and header["models"] != named:
        raise StoreError(
            f"{path} holds models {header['models']}, its name says {named[0]}..{named[-1]}: it lies in the place of "
            f"another. {rebuild_hint(path)}"
        )
    rows_of, models, examples = _rows_of(read("role")), read("model").to_numpy(), read("example").to_numpy()
    blocks: dict[str, Block] = {}
    for role, chosen in rows_of.items():
        block = _role_block(models[chosen], examples[chosen], path, role, header["models"])
        if block is not None and role in roles:
            blocks[role] = block
    for column in ("label", "group", *SIGNALS):
        if column not in names:
            continue
        values = read(column).to_numpy()
        if column in ("confidence", "loss") and not np.isfinite(values).all():
            bad = np.flatnonzero(~np.isfinite(values))
            raise StoreError(
                f"{path}: {column} of model {models[bad[0]]}, example {examples[bad[0]]} is {values[bad[0]]} "
                f"({len(bad)} such rows). {rebuild_hint(path)}"
            )
        for role, block in blocks.items():
            found = values[rows_of[role]]
            if column in ("label", "group"):
                # A copy: a view would keep the rows of all models.
                block[column] = found[: len(block["example"])].copy()
            elif column in NEEDED[role]:
                kind = bool if column == "correct" else np.float64 if role == "forget" else np.float32
                block[column] = found.astype(kind, copy=False).reshape(-1, len(block["example"]))
    return blocks, header


def _rows_of(column: Any) -> dict[str, np.ndarray]:
    """Role -> bool [rows], of a column of roles."""
    import pyarrow.compute as pc

    return {role: pc.equal(column, role).to_numpy() for role in ROLES}


def _role_block(
    models: np.ndarray, examples: np.ndarray, path: Path | str, role: str, expected: list[int]
) -> Block | None:
    """The examples of one role, whose rows are of ``models`` and ``examples``; None where it has no rows."""
    distinct = np.unique(models)
    if len(distinct) * len(np.unique(examples)) != len(examples) or (role == "forget" and not len(examples)):
        raise StoreError(f"{path} lacks rows or repeats some ({len(examples)} {role} rows). {rebuild_hint(path)}")
    if not len(examples):
        return None
    each = len(examples) // len(distinct)
    listed = models[::each].tolist()
    if listed != expected or not (models.reshape(-1, each) == models[::each, None]).all():
        raise StoreError(f"{path} has {role} rows of models {listed}, its header says {expected}. {rebuild_hint(path)}")
    first = examples[:each].copy()
    return {"example": first, "same": bool((examples.reshape(-1, each) == first).all())}


@dataclass
class _Gathered:
    """Outputs of one role, filled dump by dump: joining the dumps at the end would hold everything twice."""

    block: Block
    models: int
    same: bool = True
    dumps: int = 0
    signals: dict[str, np.ndarray] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)

    def add(self, block: Block, models: list[int]) -> None:
        """Put the rows of a dump's models into their places."""
        self.dumps += 1
        self.same &= block["same"] and np.array_equal(block["example"], self.block["example"])
        if not self.same or max(models) >= self.models:
            # Refused once all dumps are read, with all their names.
            return
        for name in SIGNALS:
            # Popped: the first block is kept, for its examples.
            if (values := block.pop(name, None)) is not None:
                if name not in self.signals:
                    self.signals[name] = np.empty((self.models, values.shape[1]), values.dtype)
                self.signals[name][models] = values
                self.filled[name] += 1

    def outputs(self, paths: list[Any]) -> Outputs:
        """What was gathered from all of ``paths``."""
        if not self.same:
            raise StoreError(f"dumps {', '.join(map(str, paths))} do not list the same examples for every model.")
        # Every dump has confidences.
        loss, correct = (self.signals[name] if self.filled[name] == len(paths) else None for name in SIGNALS[1:])
        return Outputs(self.block["example"], self.block["label"], self.signals["confidence"], loss, correct)


def _all_models(paths: list[Path | str], headers: list[dict[str, Any]], count: int) -> np.ndarray:
    """Indices of the models of all dumps, as they come.

    Raises
    ------
    StoreError
        If the dumps are of different splits, or the models are not 0..count-1 once each.
    """
    if len({header["order"] for header in headers}) != 1:
        listed = ", ".join(f"{path} ({header['order']})" for path, header in zip(paths, headers, strict=True))
        raise StoreError(f"the dumps come from different splits (hash of the order of examples): {listed}.")
    models = np.concatenate([header["models"] for header in headers])
    if sorted(models) != list(range(count)):
        lost = sorted(set(range(count)) - set(models))
        raise StoreError(
            f"the dumps hold {len(models)} models, needed are 0..{count - 1} once each; missing: {lost or 'none'}. "
            f"Delete the wrong one among {', '.join(map(str, paths))} and run again."
        )
    return models


def load_ensemble(
    paths: Iterable[Path | str], key: str | None, count: int, roles: Iterable[str] = tuple(NEEDED)
) -> Ensemble:
    """Gather the dumps of models 0..count-1, one after another; only `NEEDED` stays in memory.

    Parameters
    ----------
    paths : dumps of all shards, in order
    key : the key they must carry; None to take any
    count : number of models that must be there
    roles : roles to gather, ``forget`` among them

    Raises
    ------
    StoreError
        If a dump is damaged, has another key or order of examples, or models are missing or double.
    """
    paths, roles = list(paths), tuple(roles)
    if not paths:
        raise StoreError("there are no dumps to read.")
    gathered: dict[str, _Gathered] = {}
    headers = []
    for path in paths:
        blocks, header = _checked_block(path, key, roles)
        headers.append(header)
        for role, block in blocks.items():
            gathered.setdefault(role, _Gathered(block, count)).add(block, header["models"])
    models = _all_models(paths, headers, count)
    order = np.argsort(models)
    present = [role for role in roles if role in gathered and gathered[role].dumps == len(paths)]

    def per_model(lists: list[Any]) -> np.ndarray:
        return np.concatenate([np.asarray(values, dtype=np.float64) for values in lists])[order]

    runs = [header["run"] for header in headers]

    def kept(lists: list[Any]) -> np.ndarray:
        return np.empty(0) if any(values is None for values in lists) else per_model(lists)

    def by_name(part: str) -> dict[str, np.ndarray]:
        # Only methods' copies count what they read, and what a retraining costs beside them.
        told = [run.get(part) or {} for run in runs]
        return {name: per_model([one[name] for one in told]) for name in told[0] if all(name in one for one in told)}

    return Ensemble(
        order=headers[0]["order"],
        models=models[order],
        roles={role: gathered[role].outputs(paths) for role in present},
        accuracy={
            name: per_model([header["accuracy"][name] for header in headers])
            for name in ACCURACIES
            if all(name in header["accuracy"] for header in headers)
        },
        diverged=sorted(int(i) for header in headers for i in header["diverged"]),
        seconds=kept([run.get("seconds") for run in runs]),
        runs=[{name: value for name, value in run.items() if name not in PER_MODEL} for run in runs],
        groups=gathered["forget"].block.get("group"),
        duplicates=headers[0].get("duplicates"),
        doubts=headers[0].get("doubts", []),
        classes=tuple(headers[0].get("classes", ())),
        data_warnings=tuple(headers[0].get("data_warnings", ())),
        passes=by_name("passes"),
        examples=kept([run.get("examples") for run in runs]),
        retraining=by_name("retraining"),
    )
