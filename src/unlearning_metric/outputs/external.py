"""Outputs of models that were trained elsewhere, in any framework: npz -> Ensemble. No torch."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unlearning_metric.errors import UserError
from unlearning_metric.host.memory import too_large
from unlearning_metric.metrics._inputs import model_values, real, refuse
from unlearning_metric.outputs.ensemble import ACCURACIES, ROLES, Ensemble, Outputs
from unlearning_metric.outputs.plausibility import (
    accuracy_doubts,
    confidence_doubts,
    correct_doubts,
    logits_doubts,
    loss_doubts,
    refuse_masked,
    truth_values,
    whole_number_doubts,
)
from unlearning_metric.outputs.signals import confidence_of_loss, loss_of_confidence, signals

#: What may say how sure the models are, one of them for each role.
SIGNALS = ("confidence", "loss", "logits")
#: Array -> what it holds; those of the roles ``probe``, ``validation`` and ``test`` begin with the role, as test_loss.
ARRAYS = {
    "confidence": "[models, examples], logit-scaled: ln p_y - ln(1 - p_y)",
    "loss": "[models, examples], cross-entropy in nats",
    "logits": "[models, examples, classes]; needs labels",
    "labels": "[examples], classes 0, 1, ...",
    "examples": "[examples], which examples these are",
    "correct": "[models, examples], whether each is right",
}


#: Label of an example whose class was not given.
UNKNOWN_LABEL = -1
#: First bytes of a file -> what it is.
_KINDS = {
    b"\x93NUMPY": "a npy file, which holds one array without a name",
    b"\x80": "a pickle, as older versions of PyTorch write",
    b"PAR1": "a parquet file",
    b"\x89HDF": "an HDF5 file",
}


class DumpError(UserError, ValueError):
    """A dump of outputs does not fit: says what, where and what to do."""


def _prefix(role: str) -> str:
    return "" if role == "forget" else f"{role}_"


def known_arrays() -> list[str]:
    """Names of all arrays that a dump may hold."""
    names = [f"{_prefix(role)}{name}" for role in ROLES for name in ARRAYS]
    return [*names, "groups", "seconds", *(f"{name}_accuracy" for name in ACCURACIES)]


def read_arrays(path: Path | str) -> dict[str, np.ndarray]:
    """Arrays of a npz file by name; nothing is unpickled.

    Raises
    ------
    DumpError
        If the file cannot be read, or holds an array of an unknown name.
    """
    if not os.path.exists(path):
        raise DumpError(f"{path}: no such file; it is relative to {Path.cwd()}.")
    # A pipe would be waited for.
    if not os.path.isfile(path):
        raise DumpError(f"{path} is no file. {_ADVICE}")
    try:
        names = _names(path)
        if unknown := sorted(set(names) - set(known_arrays())):
            raise DumpError(
                f"{path} holds {', '.join(unknown)}, which nobody reads. Known: {', '.join(known_arrays())}."
            )
        with np.load(path, allow_pickle=False) as archive:
            needed = sum(item.file_size for item in archive.zip.infolist())
            # A small file can unpack to more than there is memory.
            if reason := too_large(path, needed, needed):
                raise DumpError(
                    f"{path} is not read: {reason}. If it is right, write it with numpy.savez, uncompressed."
                )
            return {name: archive[name] for name in names}
    except (OSError, MemoryError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if isinstance(error, DumpError):
            raise
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise DumpError(f"{path} cannot be read here ({type(error).__name__}: {error}).") from error
        raise DumpError(f"{path} cannot be read as npz ({error}). {_ADVICE}") from error


def _names(path: Path | str) -> list[str]:
    """Names of a file's arrays. Raises `DumpError` where it is another kind of file."""
    with open(path, "rb") as stream:
        start = stream.read(8)
    if not start.startswith(b"PK"):
        kind = next((kind for first, kind in _KINDS.items() if start.startswith(first)), "")
        kind = kind or ("text" if _is_text(start) else "another kind of file")
        raise DumpError(f"{path} is no npz file but {kind}. {_ADVICE}")
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    if any(member.endswith("/data.pkl") for member in members):
        raise DumpError(
            f"{path} was written by PyTorch (torch.save), and what is needed is a npz file. Load it and write it with "
            "numpy.savez(path, confidence=tensor.numpy())."
        )
    if foreign := [member for member in members if not member.endswith(".npy")]:
        raise DumpError(f"{path} is a zip file but no npz: it holds {foreign[0]}. {_ADVICE}")
    return [member.removesuffix(".npy") for member in members]


def _is_text(start: bytes) -> bool:
    return all(32 <= letter < 127 or letter in b"\t\r\n" for letter in start)


_ADVICE = "Write it with numpy.savez(path, confidence=...)."


def ensemble_of(arrays: Mapping[str, np.ndarray], source: str) -> Ensemble:
    """Outputs from plain arrays.

    Parameters
    ----------
    arrays : name -> array, see `ARRAYS`; also ``groups`` [forget examples], ``seconds`` [models], and
        ``retain_accuracy``, ``forget_accuracy``, ``validation_accuracy``, ``test_accuracy``, [models] or one number.
        The forget and the test accuracy are counted where `correct` or logits are there and the accuracy is not.
    source : the file, for messages

    Raises
    ------
    DumpError
        If an array has the wrong shape, is not finite, or what is needed is missing.
    """
    try:
        for name, values in arrays.items():
            refuse_masked(np.asarray(values), name)
        doubts: list[str] = []
        roles = {role: _outputs(arrays, role, doubts) for role in ROLES if _given(arrays, role)}
        if "forget" not in roles:
            raise ValueError(f"there is none of {', '.join(SIGNALS)}: needed is one of them, of the forget examples")
        models = len(roles["forget"].confidence)
        for role, outputs in roles.items():
            if len(outputs.confidence) != models:
                raise ValueError(f"{role} has {len(outputs.confidence)} models, forget has {models}")
        return Ensemble(
            order="",
            models=np.arange(models),
            roles=roles,
            accuracy=_accuracies(arrays, roles, models, doubts),
            seconds=_per_model(arrays["seconds"], "seconds", models) if "seconds" in arrays else np.empty(0),
            groups=_per_example(arrays, "groups", len(roles["forget"].examples)),
            doubts=doubts,
        )
    except ValueError as error:
        raise DumpError(f"{source}: {error}") from error


def _given(arrays: Mapping[str, np.ndarray], role: str) -> list[str]:
    return [name for name in SIGNALS if _prefix(role) + name in arrays]


def _outputs(arrays: Mapping[str, np.ndarray], role: str, doubts: list[str]) -> Outputs:
    """Outputs of one role; what is odd about its arrays is added to ``doubts``."""
    prefix, given = _prefix(role), _given(arrays, role)
    if len(given) > 1:
        raise ValueError(f"both {prefix}{given[0]} and {prefix}{given[1]}: keep one, they say the same")
    name = prefix + given[0]
    correct = margin = None
    if given == ["logits"]:
        confidence, loss, correct, margin = _of_logits(arrays, prefix)
        doubts += logits_doubts(arrays[name], name)
    else:
        values = model_values(arrays[name], name, least=1)
        if given == ["loss"]:
            refuse(values < 0, values, name, "is negative, which no cross-entropy is")
            doubts += loss_doubts(values, name)
            confidence, loss = confidence_of_loss(values), values
        else:
            doubts += confidence_doubts(values, name)
            confidence, loss = values, loss_of_confidence(values)
    doubts += whole_number_doubts(arrays[name], name)
    examples = confidence.shape[1]
    if f"{prefix}correct" in arrays:
        correct = truth_values(np.asarray(arrays[f"{prefix}correct"]), f"{prefix}correct", confidence.shape)
        doubts += correct_doubts(correct, f"{prefix}correct", confidence, margin)
    indices = _per_example(arrays, f"{prefix}examples", examples)
    if indices is not None and len(np.unique(indices)) != examples:
        raise ValueError(f"{prefix}examples names an example twice")
    labels = _per_example(arrays, f"{prefix}labels", examples)
    return Outputs(
        examples=np.arange(examples) if indices is None else indices,
        labels=np.full(examples, UNKNOWN_LABEL) if labels is None else labels,
        confidence=confidence,
        loss=loss,
        correct=correct,
    )


def _of_logits(arrays: Mapping[str, np.ndarray], prefix: str) -> tuple[np.ndarray, ...]:
    """Confidence, loss, truth values, and the true class's logit less the largest other: [models, examples] each."""
    name = f"{prefix}logits"
    logits = real(arrays[name], name)
    if logits.ndim != 3 or logits.shape[2] < 2 or 0 in logits.shape:
        raise ValueError(f"{name} has shape {logits.shape}: pass [models, examples, classes], at least 2 classes")
    if not np.isfinite(logits).all():
        place = tuple(np.argwhere(~np.isfinite(logits))[0])
        advice = (
            "leave a diverged model out"
            if np.isnan(logits[place])
            else "a logarithm of a probability that rounding made 0? Pass what the models say before the softmax"
        )
        raise ValueError(f"{name}: {logits[place]} of model {place[0]}, example {place[1]} is not finite: {advice}")
    labels = _per_example(arrays, f"{prefix}labels", logits.shape[1])
    if labels is None:
        raise ValueError(f"{name} needs {prefix}labels, the true class of each example")
    if labels.min() < 0 or labels.max() >= logits.shape[2]:
        raise ValueError(
            f"{prefix}labels go from {labels.min()} to {labels.max()}, {name} has {logits.shape[2]} classes"
        )
    rows = [signals(of_model, labels) for of_model in logits]
    confidence, loss, correct = (np.stack([row[name] for row in rows]) for name in ("confidence", "loss", "correct"))
    others = np.where(np.arange(logits.shape[2]) == labels[:, None], -np.inf, logits).max(axis=2)
    return confidence, loss, correct, np.stack([row["logit"] for row in rows]) - others


def _per_example(arrays: Mapping[str, np.ndarray], name: str, examples: int) -> np.ndarray | None:
    if name not in arrays:
        return None
    values = np.asarray(arrays[name])
    if values.shape != (examples,) or values.dtype.kind not in "iu":
        raise ValueError(f"{name} is {values.dtype} {list(values.shape)}: needed are {examples} whole numbers")
    if examples and values.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} holds {values.max()}, beyond 64 bits with a sign: number them anew, by numpy.unique")
    return values.astype(np.int64)


def _per_model(values: np.ndarray, name: str, models: int) -> np.ndarray:
    array = real(values, name)
    if array.shape not in ((), (models,)):
        raise ValueError(f"{name} has shape {list(array.shape)}: needed are {models} numbers, or one")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}, which is not finite: leave it out if unknown")
    if (array < 0).any():
        raise ValueError(f"{name} holds {array.min():g}: needed are numbers of at least 0")
    return np.broadcast_to(array, (models,)).copy()


def _accuracies(
    arrays: Mapping[str, np.ndarray], roles: Mapping[str, Outputs], models: int, doubts: list[str]
) -> dict[str, np.ndarray]:
    found = {}
    for name in ACCURACIES:
        given = f"{name}_accuracy"
        # The probe is a sample of the retain set.
        recorded = roles.get("probe" if name == "retain" else name)
        if given in arrays:
            found[name] = _per_model(arrays[given], given, models)
            if (found[name] > 1).any():
                raise ValueError(f"{given} holds {found[name].max():g}: an accuracy is a share, at most 1")
            if recorded is not None:
                doubts += accuracy_doubts(given, found[name], recorded, name == "forget")
        elif name in roles and (correct := roles[name].correct) is not None:
            found[name] = correct.mean(axis=1)
    return found
