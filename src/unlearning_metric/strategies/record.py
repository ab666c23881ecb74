"""What a strategy is: how it chooses, which keys of ``forget`` it needs, what is said of it. No NumPy is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates
    from unlearning_metric.strategies.settings import ForgetSettings

    Choose = Callable[[Candidates, ForgetSettings, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Strategy:
    """One way to choose what is to be forgotten.

    Attributes
    ----------
    name : value of ``forget.strategy``
    choose : function(candidates, ``forget`` part of the configuration, rng) -> int [forget examples], positions in the
        training set, each once, in any order
    says : what it chooses, for documentation; a sentence without its full stop
    one_of : keys of ``forget`` of which it needs exactly one
    needs : keys that it needs besides
    may : keys that it may have
    of_examples : whether ``count`` is one of training examples, of which one must be left to retain
    by_difficulty : whether it asks how hard each example is for models that did not train on it
    """

    name: str
    choose: Choose
    says: str
    one_of: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    of_examples: bool = False
    by_difficulty: bool = False


def by_difficulty(name: str, choose: Choose, says: str) -> Strategy:
    """A strategy that takes ``count`` or ``fraction`` of the examples by their held-out loss."""
    return Strategy(
        name,
        choose,
        says,
        one_of=("count", "fraction"),
        may=("difficulty_models",),
        of_examples=True,
        by_difficulty=True,
    )
