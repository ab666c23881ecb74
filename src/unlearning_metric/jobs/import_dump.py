"""npz of outputs of models made elsewhere -> per-example outputs in parquet, as a dump of our own models would be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.config import CopiesSettings
from unlearning_metric.forget.split_file import read_split
from unlearning_metric.outputs.dumps import groups_of_roles, labels_of_roles, rows
from unlearning_metric.outputs.ensemble import Ensemble, Outputs
from unlearning_metric.outputs.external import UNKNOWN_LABEL, DumpError, ensemble_of, read_arrays
from unlearning_metric.progress import LOGGER
from unlearning_metric.store.files import read_npz, write_parquet
from unlearning_metric.store.shards import original_folder
from unlearning_metric.store.stored import Stored
from unlearning_metric.user_code.unchanged_files import refuse_edited

#: Classes that a message lists.
SHOWN_CLASSES = 10


def import_dump(
    dataset: Stored,
    split: Stored,
    dump: Path | str,
    copies: CopiesSettings | Mapping[str, Any],
    per_original: int,
    out: Path | str,
    provenance: dict[str, Any],
    originals: int = 1,
) -> None:
    """Check a file of outputs against the split and store those of the models of one shard.

    Parameters
    ----------
    dump : npz as `external.ensemble_of` describes it, with ``examples`` (and ``test_examples`` and the like for the
        other roles it holds): indices as in split.npz, in any order
    copies : those to store
    per_original : models that the file must hold from each of ``originals``, those from original 0 first
    provenance : ``key`` and ``origin`` for the header

    Raises
    ------
    DumpError
        If the file does not fit, holds other examples than the split, or another number of models.
    """
    copies = CopiesSettings.model_validate(copies)
    original = copies.original or 0
    refuse_edited(provenance, {"content": dump})
    data, data_header = read_npz(*dataset)
    indices, split_header = read_split(*split)
    arrays = read_arrays(dump)
    side = ensemble_of(arrays, str(dump))
    _refuse_misfit(side, arrays, dump, split.path, per_original, originals)
    stored = [original * per_original + model for model in copies.models]
    wanted = indices.arrays()
    labels = labels_of_roles(data, wanted, side.roles)
    roles = {
        role: _in_order(outputs, wanted[role], labels[role], data_header["classes"], role, str(dump))
        for role, outputs in side.roles.items()
    }
    _refuse_other_groups(side, data, dump)
    outputs = {
        model: {role: _signals(part, place) for role, part in roles.items()}
        for model, place in zip(copies.models, stored, strict=True)
    }
    run: dict[str, Any] = {"imported": str(dump)}
    if side.seconds.size:
        run["seconds"] = side.seconds[stored].tolist()
    header = {
        **provenance,
        "role": f"unlearn/{copies.method}{original_folder(original)}",
        "models": copies.models,
        "order": split_header["order"],
        "duplicates": split_header.get("duplicates"),
        "classes": data_header["classes"],
        "data_warnings": split_header.get("warnings", []),
        "accuracy": {name: values[stored].tolist() for name, values in side.accuracy.items()},
        "diverged": [],
        "doubts": side.doubts,
        "run": run,
    }
    write_parquet(out, rows(outputs, wanted, labels, groups_of_roles(data, wanted, side.roles)), header)
    for doubt in side.doubts:
        LOGGER.warning("warning: %s: %s", dump, doubt)
    LOGGER.info("%s: outputs of models %d to %d from %s", copies.method, copies.models[0], copies.models[-1], dump)


def _signals(outputs: Outputs, place: int) -> dict[str, Any]:
    """What one model says of the examples of a role."""
    signals = {"loss": outputs.loss, "confidence": outputs.confidence, "correct": outputs.correct}
    return {name: values[place] for name, values in signals.items() if name != "correct" or values is not None}


def _refuse_misfit(
    side: Ensemble, arrays: Mapping[str, Any], dump: Path | str, split: Path | str, per_original: int, originals: int
) -> None:
    """Raise `DumpError` where the file holds another number of models, or does not say of which examples."""
    if len(side) != per_original * originals:
        needed = (
            f"copies is {per_original}"
            if originals == 1
            else f"needed are {per_original * originals}: {per_original} copies from each of {originals} originals, in "
            "their order"
        )
        raise DumpError(
            f"{dump} holds {len(side)} models and {needed}: scores of different numbers of models are not "
            "comparable. Record as many, or set copies"
        )
    for role in side.roles:
        prefix = "" if role == "forget" else f"{role}_"
        if f"{prefix}examples" not in arrays:
            raise DumpError(
                f"{dump} does not say which examples its {role} outputs are of: add the array {prefix}examples, the "
                f"indices in the set {role} of {split}"
            )


def _refuse_other_groups(side: Ensemble, data: Mapping[str, np.ndarray], dump: Path | str) -> None:
    """Raise `DumpError` where the file's groups are not those of the data."""
    if side.groups is None or "groups_train" not in data:
        return
    # In the order of the file, as the examples it lists.
    wrong = np.flatnonzero(side.groups != data["groups_train"][side.forget.examples])
    if len(wrong):
        example = side.forget.examples[wrong[0]]
        raise DumpError(
            f"{dump}: forget example {example} has the group {side.groups[wrong[0]]}, in the data it has "
            f"{data['groups_train'][example]}"
        )


def _in_order(
    outputs: Outputs, wanted: np.ndarray, labels: np.ndarray, classes: list[str], role: str, source: str
) -> Outputs:
    """Outputs in the order of the split."""
    order = np.argsort(outputs.examples, kind="stable")
    if not np.array_equal(outputs.examples[order], wanted):
        other = np.setxor1d(outputs.examples, wanted)
        raise DumpError(
            f"{source}: its {role} examples are not those of the split ({len(other)} differ, the first is {other[0]}). "
            "Record the outputs on the examples of split.npz"
        )
    # The split's sets are ascending.
    given = outputs.labels[order]
    if given[0] != UNKNOWN_LABEL and not np.array_equal(given, labels):
        first = int(np.argmax(given != labels))
        numbered = ", ".join(f"{number}: {name}" for number, name in enumerate(classes[:SHOWN_CLASSES]))
        raise DumpError(
            f"{source}: {role} example {wanted[first]} has the label {given[first]}, in the data it has "
            f"{labels[first]} (the class {classes[labels[first]]}). Labels number the classes of the data: "
            f"{numbered}{', ...' if len(classes) > SHOWN_CLASSES else ''}"
        )
    correct = None if outputs.correct is None else outputs.correct[:, order]
    return Outputs(wanted, labels, outputs.confidence[:, order], outputs.loss[:, order], correct)
