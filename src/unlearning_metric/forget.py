"""Which training examples are to be forgotten, and the other index sets of an experiment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.seeds import Streams


@dataclass(frozen=True)
class Split:
    """Index sets of one experiment, each sorted, int64.

    Attributes
    ----------
    forget, retain : indices into the training pool; together the training set of the original model
    validation : indices into the training pool that no model trains on
    test : indices into the test pool
    probe : a sample of ``retain`` whose per-example outputs are kept
    """

    forget: np.ndarray
    retain: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    probe: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """The index arrays by name."""
        return asdict(self)

    def check(self) -> Split:
        """The split itself, if its sets are what they must be.

        Raises
        ------
        ValueError
            If forget, retain and validation overlap, the probe lies outside retain, or a set names an example twice
            or is not in ascending order.
        """
        for name, array in self.arrays().items():
            if (np.diff(array) <= 0).any():
                raise ValueError(f"the set {name} is not ascending, or names an example twice")
        for one, other in (("forget", "retain"), ("forget", "validation"), ("retain", "validation")):
            shared = np.intersect1d(getattr(self, one), getattr(self, other))
            if len(shared):
                raise ValueError(
                    f"{one} and {other} share {len(shared)} examples, the first is {shared[0]}: a model trained on one "
                    "has then seen the other"
                )
        outside = np.setdiff1d(self.probe, self.retain)
        if len(outside):
            raise ValueError(f"the probe holds {len(outside)} examples outside retain, the first is {outside[0]}")
        return self

    def order_hash(self) -> str:
        """Hash of every index in its order: outputs of two different orders are never compared."""
        content = hashlib.sha256()
        for name, array in self.arrays().items():
            content.update(f"{name}:{len(array)}:".encode())
            content.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        return content.hexdigest()[:16]


def _random(labels: np.ndarray, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    count = settings.get("count")
    if count is None:
        count = round(settings["fraction"] * len(labels))
    if not 0 < count < len(labels):
        raise DataError(
            f"the forget set would hold {count} of {len(labels)} training examples: it must hold at least one "
            "and leave at least one to retain. Change forget.count, forget.fraction or data.train_size."
        )
    return rng.choice(len(labels), size=count, replace=False)


def _class(labels: np.ndarray, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    chosen = np.flatnonzero(labels == settings["label"])
    if not 0 < len(chosen) < len(labels):
        raise DataError(
            f"forget.label {settings['label']} has {len(chosen)} of {len(labels)} training examples; labels "
            f"present: {', '.join(map(str, np.unique(labels)))}."
        )
    return chosen


#: strategy name -> function(labels of the training set, settings, rng) -> positions in the training set
STRATEGIES: dict[str, Callable[[np.ndarray, dict[str, Any], np.random.Generator], np.ndarray]] = {
    "random": _random,
    "class": _class,
}


def _stratified(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """``size`` positions whose class shares follow those of ``labels`` (largest remainders first)."""
    if size == 0:
        return np.empty(0, dtype=np.int64)
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (size / len(labels))
    quota = np.floor(exact).astype(int)
    short = size - quota.sum()
    quota[np.argsort(-(exact - quota), kind="stable")[:short]] += 1
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:number] for label, number in zip(classes, quota, strict=True)
    ]
    return np.concatenate(chosen)


def make_split(y_train: np.ndarray, y_test: np.ndarray, settings: dict[str, Any], experiment_seed: int) -> Split:
    """Choose training, validation, forget, probe and test examples.

    Parameters
    ----------
    y_train, y_test : int64 [images], labels of the two pools
    settings : ``train_size``, ``validation_size``, ``test_size``, ``probe_size`` and ``forget`` of the
        configuration
    experiment_seed : every choice has a stream of its own

    Raises
    ------
    DataError
        If the pools are too small for what is asked.
    """
    streams = Streams(experiment_seed, "split")
    validation_size = settings["validation_size"]
    train_size = settings["train_size"] or len(y_train) - validation_size
    if train_size + validation_size > len(y_train) or train_size < 2:
        raise DataError(
            f"data.train_size {train_size} and data.validation_size {validation_size} do not fit: the training "
            f"pool has {len(y_train)} images, at least 2 are to be trained on."
        )
    test_size = settings["test_size"] or len(y_test)
    if test_size > len(y_test):
        raise DataError(f"data.test_size is {test_size}; the test pool has {len(y_test)} images.")

    train = np.sort(_stratified(y_train, train_size, streams.numpy("train")))
    rest = np.setdiff1d(np.arange(len(y_train)), train)
    validation = rest[_stratified(y_train[rest], validation_size, streams.numpy("validation"))]
    test = _stratified(y_test, test_size, streams.numpy("test"))

    wanted = settings["forget"]
    positions = STRATEGIES[wanted["strategy"]](y_train[train], wanted, streams.numpy("forget"))
    forget = train[positions]
    retain = np.setdiff1d(train, forget)
    probe_size = min(settings["probe_size"], len(retain))
    probe = streams.numpy("probe").choice(retain, size=probe_size, replace=False)
    return Split(*(np.sort(part).astype(np.int64) for part in (forget, retain, validation, test, probe)))
