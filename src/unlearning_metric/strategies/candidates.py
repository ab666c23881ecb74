"""What a strategy may choose from, and how many of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from unlearning_metric.data.images import DataError
from unlearning_metric.spelling import composed, looks_of
from unlearning_metric.strategies.settings import ForgetSettings


@dataclass(frozen=True)
class Candidates:
    """The training set, an example at each position.

    Attributes
    ----------
    labels : int64 [examples], 0..classes-1
    indices : int64 [examples], ascending; where in the training pool each example is
    classes : what the source calls class 0, 1, ...
    groups : int64 [examples], or None where the data have no groups
    difficulty : float64 [examples], mean loss of models that did not train on the example, or None where none were made
    listed : int64, indices into the training pool that a file of the user's names, or None where there is none
    """

    labels: np.ndarray
    indices: np.ndarray
    classes: Sequence[str]
    groups: np.ndarray | None = None
    difficulty: np.ndarray | None = None
    listed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def class_number(self, label: Any, key: str) -> int:
        """Number of the class that the configuration's ``key`` calls ``label``: its name, or else its number.

        Raises
        ------
        DataError
            If no training example has it.
        """
        name = composed(str(label))
        numbers = {composed(str(one)): number for number, one in enumerate(self.classes)}
        number = numbers.get(name, int(name) if name.isdecimal() and not _are_numbers(self.classes) else -1)
        present = np.unique(self.labels)
        if number not in present:
            there = [str(self.classes[one]) for one in present]
            similar = [ascii(one) for one in there if looks_of(one) == looks_of(name)]
            hint = f" {name!a} looks like {similar[0]}, and is another text." if similar else _quotes(label, there)
            raise DataError(
                f"{key} {name} has 0 of {len(self)} training examples; labels present: {', '.join(there)}.{hint}"
            )
        return number

    def of_classes(self, labels: Sequence[Any], key: str) -> np.ndarray:
        """Positions of the examples of the classes that the configuration's ``key`` names. Raises as `class_number`."""
        return np.flatnonzero(np.isin(self.labels, [self.class_number(label, key) for label in labels]))

    def positions(self, indices: np.ndarray) -> np.ndarray:
        """Positions of the examples with these indices into the training pool."""
        return np.flatnonzero(np.isin(self.indices, indices))

    def stratified(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Random positions whose class shares follow those of the training set."""
        return stratified(self.labels, size, rng)

    def wanted_count(
        self, settings: ForgetSettings, available: int | None = None, what: str = "training examples"
    ) -> int:
        """``count``, or ``fraction`` of what is available, in whole numbers; without a number of all examples.

        Raises
        ------
        DataError
            If it is none or more than there are; ``what`` says of what.
        """
        available = len(self) if available is None else available
        count = settings.count
        if count is None:
            assert settings.fraction is not None
            count = round(settings.fraction * available)
        if not 0 < count <= available:
            raise DataError(
                f"the forget set would hold {count} of {available} {what}. Change forget.count or forget.fraction."
            )
        return count


def _quotes(label: Any, names: Sequence[str]) -> str:
    """What to do where YAML read the name of a class as this number, such as 010 as 8; begins with a blank."""

    def read(name: str) -> Any:
        try:
            return yaml.safe_load(name)
        except (yaml.YAMLError, ValueError):
            return name

    meant = [name for name in names if type(label) is int and type(read(name)) is int and read(name) == label]
    return f' Without quotes {meant[0]} is the number {label} to YAML: write "{meant[0]}" in quotes.' if meant else ""


def _are_numbers(classes: Sequence[str]) -> bool:
    return all(str(one).lstrip("-").isdecimal() for one in classes)


def stratified(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
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
