"""Outputs of models that were trained elsewhere, in any framework: npz -> Ensemble. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unlearning_metric.errors import UserError
from unlearning_metric.metrics._inputs import model_values, real, refuse
from unlearning_metric.outputs.ensemble import ACCURACIES, ROLES, Ensemble, Outputs
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
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DumpError(f"{path}: no such file; it is relative to {Path.cwd()}.") from None
    except Exception as error:
        raise DumpError(
            f"{path} cannot be read as npz ({error}). Write it with numpy.savez(path, confidence=...)."
        ) from error
    unknown = sorted(set(arrays) - set(known_arrays()))
    if unknown:
        raise DumpError(f"{path} holds {', '.join(unknown)}, which nobody reads. Known: {', '.join(known_arrays())}.")
    return arrays


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
        roles = {role: _outputs(arrays, role) for role in ROLES if _given(arrays, role)}
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
            accuracy=_accuracies(arrays, roles, models),
            seconds=_per_model(arrays["seconds"], "seconds", models) if "seconds" in arrays else np.empty(0),
            groups=_per_example(arrays, "groups", len(roles["forget"].examples)),
        )
    except ValueError as error:
        raise DumpError(f"{source}: {error}") from error


def _given(arrays: Mapping[str, np.ndarray], role: str) -> list[str]:
    return [name for name in SIGNALS if _prefix(role) + name in arrays]


def _outputs(arrays: Mapping[str, np.ndarray], role: str) -> Outputs:
    prefix, given = _prefix(role), _given(arrays, role)
    if len(given) > 1:
        raise ValueError(f"both {prefix}{given[0]} and {prefix}{given[1]}: keep one, they say the same")
    name = prefix + given[0]
    correct = None
    if given == ["logits"]:
        confidence, loss, correct = _of_logits(arrays, prefix)
    else:
        values = model_values(arrays[name], name, least=1)
        if given == ["loss"]:
            refuse(values < 0, values, name, "is negative, which no cross-entropy is")
            confidence, loss = confidence_of_loss(values), values
        else:
            if ((values >= 0) & (values <= 1)).all() and np.ptp(values) > 0:
                raise ValueError(
                    f"{name}: all values lie within 0..1, as probabilities do. "
                    "Pass ln(p / (1 - p)), p that of the true class"
                )
            confidence, loss = values, loss_of_confidence(values)
    models, examples = confidence.shape
    if f"{prefix}correct" in arrays:
        correct = np.asarray(arrays[f"{prefix}correct"])
        if correct.shape != confidence.shape or correct.dtype.kind not in "bui":
            raise ValueError(
                f"{prefix}correct is {correct.dtype} {list(correct.shape)}: needed are truth values "
                f"[{models}, {examples}]"
            )
        correct = correct.astype(bool)
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


def _of_logits(arrays: Mapping[str, np.ndarray], prefix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    name = f"{prefix}logits"
    logits = real(arrays[name], name)
    if logits.ndim != 3 or logits.shape[2] < 2 or 0 in logits.shape:
        raise ValueError(f"{name} has shape {logits.shape}: pass [models, examples, classes], at least 2 classes")
    if not np.isfinite(logits).all():
        model, example, _ = np.argwhere(~np.isfinite(logits))[0]
        raise ValueError(f"{name}: model {model}, example {example} is not finite: leave a diverged model out")
    labels = _per_example(arrays, f"{prefix}labels", logits.shape[1])
    if labels is None:
        raise ValueError(f"{name} needs {prefix}labels, the true class of each example")
    if labels.min() < 0 or labels.max() >= logits.shape[2]:
        raise ValueError(
            f"{prefix}labels go from {labels.min()} to {labels.max()}, {name} has {logits.shape[2]} classes"
        )
    rows = [signals(one, labels) for one in logits]
    return tuple(np.stack([row[signal] for row in rows]) for signal in ("confidence", "loss", "correct"))


def _per_example(arrays: Mapping[str, np.ndarray], name: str, examples: int) -> np.ndarray | None:
    if name not in arrays:
        return None
    values = np.asarray(arrays[name])
    if values.shape != (examples,) or values.dtype.kind not in "iu":
        raise ValueError(f"{name} is {values.dtype} {list(values.shape)}: needed are {examples} whole numbers")
    return values.astype(np.int64)


def _per_model(values: np.ndarray, name: str, models: int) -> np.ndarray:
    array = real(values, name)
    if array.shape not in ((), (models,)) or not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} has shape {list(array.shape)}: needed are {models} numbers of at least 0, or one")
    return np.broadcast_to(array, (models,)).copy()


def _accuracies(arrays: Mapping[str, np.ndarray], roles: Mapping[str, Outputs], models: int) -> dict[str, np.ndarray]:
    found = {}
    for name in ACCURACIES:
        given = f"{name}_accuracy"
        if given in arrays:
            found[name] = _per_model(arrays[given], given, models)
            if (found[name] > 1).any():
                raise ValueError(f"{given} holds {found[name].max():g}: an accuracy is a share, at most 1")
        elif name in roles and roles[name].correct is not None:
            found[name] = roles[name].correct.mean(axis=1)
    return found
