"""Which training examples are to be forgotten, and the other index sets of an experiment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from unlearning_metric.config import DifficultySettings, Forget, SplitSettings
from unlearning_metric.data.images import DataError
from unlearning_metric.seeds import Streams
from unlearning_metric.strategies import STRATEGIES
from unlearning_metric.strategies.candidates import Candidates, stratified
from unlearning_metric.strategies.index_file import log_warning, read_indices
from unlearning_metric.strategies.index_text import Warn


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


@dataclass(frozen=True)
class Pool:
    """What is known of the training pool.

    Attributes
    ----------
    labels : int64 [images]
    classes : what the source calls class 0, 1, ...; None calls them by their numbers
    groups : int64 [images]
    set_aside : indices that the source itself sets aside for validation
    difficulty : float64 [training examples], in ascending order of the examples; see `jobs.difficulty`
    """

    labels: np.ndarray
    classes: Sequence[str] | None = None
    groups: np.ndarray | None = None
    set_aside: np.ndarray | None = None
    difficulty: np.ndarray | None = None


def training_set(
    y_train: np.ndarray,
    settings: SplitSettings | DifficultySettings,
    experiment_seed: int,
    set_aside: np.ndarray | None = None,
    listed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Examples of the training pool to train on, ascending, and those to validate on.

    Parameters
    ----------
    y_train : int64 [images], labels of the training pool
    settings : ``train_size`` and ``validation_size`` of the configuration
    set_aside : indices that the source itself sets aside for validation
    listed : indices that must be trained on, since they are to be forgotten

    Raises
    ------
    DataError
        If the pool is too small for what is asked.
    """
    streams = Streams(experiment_seed, "split")
    pool = np.arange(len(y_train))
    if set_aside is not None:
        pool = np.setdiff1d(pool, set_aside)
    given = np.empty(0, dtype=np.int64) if listed is None else listed
    if len(np.setdiff1d(given, pool)):
        lost = np.setdiff1d(given, pool)
        raise DataError(
            f"forget.path names {len(lost)} examples that the data set sets aside for validation, the first is "
            f"{lost[0]}. Remove them from the list."
        )
    validation_size = settings.validation_size
    train_size = settings.train_size or len(pool) - validation_size
    if train_size + validation_size > len(pool) or train_size < 2:
        raise DataError(
            f"data.train_size {train_size} and data.validation_size {validation_size} do not fit: the training "
            f"pool has {len(pool)} images, at least 2 are to be trained on."
        )
    if len(given) >= train_size:
        raise DataError(
            f"forget.path names {len(given)} examples, and {train_size} are trained on (data.train_size, less "
            "data.validation_size): none would be left to retain. Use more training examples, or name fewer."
        )
    others = np.setdiff1d(pool, given)
    drawn = others[stratified(y_train[others], train_size - len(given), streams.numpy("train"))]
    train = np.sort(np.concatenate([given, drawn]))
    if set_aside is not None:
        return train, np.sort(set_aside)
    rest = np.setdiff1d(pool, train)
    return train, rest[stratified(y_train[rest], validation_size, streams.numpy("validation"))]


def make_split(
    pool: Pool, y_test: np.ndarray, settings: SplitSettings, experiment_seed: int, warn: Warn = log_warning
) -> Split:
    """Choose training, validation, forget, probe and test examples.

    Parameters
    ----------
    y_test : int64 [images], labels of the test pool
    settings : ``train_size``, ``validation_size``, ``test_size``, ``probe_size`` and ``forget`` of the
        configuration
    experiment_seed : every choice has a stream of its own
    warn : is told what in the user's list may mean something else

    Raises
    ------
    DataError
        If the pools are too small for what is asked.
    """
    streams = Streams(experiment_seed, "split")
    wanted = settings.forget
    listed = None if wanted.path is None else read_indices(wanted.path, len(pool.labels), warn)
    train, validation = training_set(pool.labels, settings, experiment_seed, pool.set_aside, listed)
    test_size = settings.test_size or len(y_test)
    if test_size > len(y_test):
        raise DataError(f"data.test_size is {test_size}; the test pool has {len(y_test)} images.")
    test = stratified(y_test, test_size, streams.numpy("test"))

    pool = replace(pool, classes=_names(pool.classes, pool.labels, y_test))
    forget = _to_forget(pool, train, listed, wanted, streams)
    return _with_probe(forget, train, validation, test, settings, streams)


def make_second_split(
    first: Split, pool: Pool, settings: SplitSettings, experiment_seed: int, warn: Warn = log_warning
) -> Split:
    """Choose other examples to forget, all of them from the retain set of a first split, whose forget set is left out.

    Validation and test examples are those of the first. Parameters as for `make_split`.

    Raises
    ------
    DataError
        If the retain set has not what is asked.
    """
    streams = Streams(experiment_seed, "split")
    wanted = settings.forget
    train = first.retain
    listed = None if wanted.path is None else read_indices(wanted.path, len(pool.labels), warn)
    outside = np.empty(0) if listed is None else np.setdiff1d(listed, train)
    if len(outside):
        raise DataError(
            f"tuning.forget.path names {len(outside)} examples outside the retain set of the scored split, the first "
            f"is {outside[0]}. Hyper-parameters are chosen on other examples than the score is about."
        )
    pool = replace(pool, classes=_names(pool.classes, pool.labels))
    if pool.difficulty is not None:
        pool = replace(pool, difficulty=pool.difficulty[np.isin(np.union1d(first.retain, first.forget), train)])
    try:
        forget = _to_forget(pool, train, listed, wanted, streams)
    except DataError as error:
        raise DataError(f"the forget set by which hyper-parameters are chosen (tuning.forget): {error}") from error
    return _with_probe(forget, train, first.validation, first.test, settings, streams)


def _names(classes: Sequence[str] | None, *labels: np.ndarray) -> Sequence[str]:
    return classes or [str(number) for number in range(int(max(part.max() for part in labels)) + 1)]


def _to_forget(
    pool: Pool, train: np.ndarray, listed: np.ndarray | None, wanted: Forget, streams: Streams
) -> np.ndarray:
    """Indices into the training pool of the examples that a strategy chooses of the training set."""
    candidates = Candidates(
        labels=pool.labels[train],
        indices=train,
        classes=pool.classes or (),
        groups=None if pool.groups is None else pool.groups[train],
        difficulty=pool.difficulty,
        listed=listed,
    )
    positions = STRATEGIES[wanted.strategy].choose(candidates, wanted, streams.numpy("forget"))
    if not len(positions) < len(train):
        raise DataError(
            f"the forget set would hold {len(positions)} of {len(train)} training examples: it must leave at least one "
            "to retain. Forget fewer, or train on more (data.train_size)."
        )
    return train[positions]


def _with_probe(
    forget: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    settings: SplitSettings,
    streams: Streams,
) -> Split:
    retain = np.setdiff1d(train, forget)
    probe_size = min(settings.probe_size, len(retain))
    probe = streams.numpy("probe").choice(retain, size=probe_size, replace=False)
    return Split(*(np.sort(part).astype(np.int64) for part in (forget, retain, validation, test, probe)))


def count_duplicates(images: np.ndarray, split: Split) -> int:
    """Number of forget examples that equal a retain example in every value: nothing can forget those.

    Parameters
    ----------
    images : [images, ...], the training pool
    """
    kept = {_digest(images[index]) for index in split.retain}
    return sum(_digest(images[index]) in kept for index in split.forget)


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()
