"""The ensembles that a metric is computed on, and what of them is held against what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearning_metric.metrics.record import Metric
from unlearning_metric.outputs.ensemble import Ensemble, Outputs

#: Fields of a `schema.Compared` that hold results.
COMPARED = ("method", "floor", "ceiling", "method_like_ceiling")

Pair = tuple[np.ndarray, np.ndarray]
#: Which examples.
Places = slice | np.ndarray


@dataclass(frozen=True)
class Ensembles:
    """What a method is scored with.

    Attributes
    ----------
    retrained, unlearned : N models each, N at least 4
    originals : at least 1 original model, or None: there is no floor then
    ceiling : a second, disjoint set of N retrained models; None: two halves of the first stand for it
    """

    retrained: Ensemble
    unlearned: Ensemble
    originals: Ensemble | None
    ceiling: Ensemble | None


@dataclass(frozen=True)
class Sides(Ensembles):
    """Everything that a metric is computed on.

    Attributes
    ----------
    halves : int [2, models // 2], disjoint halves of the retrained models
    """

    halves: np.ndarray

    def examples(self, role: str) -> int:
        """Examples of a role; 0 where it was not recorded of both sides."""
        given = [side.roles[role] for side in (self.retrained, self.unlearned) if role in side.roles]
        return len(given[0].examples) if len(given) == 2 else 0

    def original(self, metric: Metric, role: str, chosen: Places) -> np.ndarray | None:
        """What the originals say: [originals, examples]; None where there are none or the role was not recorded."""
        return _values(self.originals, metric, role, chosen)

    def pairs(self, metric: Metric, role: str, chosen: Places = slice(None)) -> dict[str, Pair | None]:
        """Field of a `schema.Compared` -> arrays [models, examples] of the reference and what is held against it.

        None where a role was not recorded or there are fewer models than the metric needs.
        """
        reference, other = (_values(side, metric, role, chosen) for side in (self.retrained, self.unlearned))
        originals = self.original(metric, role, chosen)
        found: dict[str, Pair | None] = dict.fromkeys(COMPARED)
        if reference is None or other is None:
            return found
        found["method"] = (reference, other)
        again: np.ndarray | None
        if self.ceiling is None:
            first, second = self.halves
            if len(first) < metric.least_models:
                return found
            reference, again, other = reference[first], reference[second], other[second]
        else:
            again = _values(self.ceiling, metric, role, chosen)
        found["method_like_ceiling"] = (reference, other)
        if again is not None:
            found["ceiling"] = (reference, again)
        if originals is not None:
            found["floor"] = (reference, originals[np.arange(len(reference)) % len(originals)])
        return found

    def roles_of(self, metric: Metric) -> dict[str, Pair | None]:
        """Field of a `schema.Compared` -> arrays [models, examples] of the two roles of the same models.

        Each model is looked at by itself, so the number of models changes nothing.
        """

        def pair(side: Ensemble | None) -> Pair | None:
            first, second = (_values(side, metric, role, slice(None)) for role in metric.roles)
            if first is None or second is None or min(first.shape[1], second.shape[1]) < metric.least_examples:
                return None
            return first, second

        method = pair(self.unlearned)
        if method is None:
            return dict.fromkeys(COMPARED)
        return {
            "method": method,
            "floor": pair(self.originals),
            "ceiling": pair(self.retrained),
            "method_like_ceiling": method,
        }

    def ceiling_models(self, metric: Metric) -> int:
        """Models a side of the ceiling and the floor."""
        halved = self.ceiling is None and metric.compares == "sides"
        return self.halves.shape[1] if halved else len(self.retrained)


def _values(side: Ensemble | None, metric: Metric, role: str, chosen: Places) -> np.ndarray | None:
    """The metric's signal [models, examples] of one side; None where it was not recorded."""
    if side is None or role not in side.roles:
        return None
    outputs: Outputs = side.roles[role].of(chosen)
    return outputs.loss if metric.signal == "loss" else outputs.saturated
