"""The score document's other metrics, each for the method, the untouched originals and retrained models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unlearning_metric.metrics.heldout import FOLDS, HeldoutResult, heldout, largest_bound
from unlearning_metric.metrics.klom import klom
from unlearning_metric.metrics.seed_notebook import FLAW, SeedResult, default_threshold, seed_notebook
from unlearning_metric.metrics.simple_mia import SPLITS, simple_mia
from unlearning_metric.metrics.two_sample import gaussian_mu, ks_p_values, told_apart
from unlearning_metric.metrics.ulira import LEAST_MODELS, UliraResult, ulira
from unlearning_metric.outputs.ensemble import Ensemble, Outputs

Signal = Callable[[Outputs], np.ndarray]
#: Examples whose KLOM is computed at once: the probe may be the whole retain set, and float64 copies of it too large.
BLOCK = 2048
#: Fields of a `schema.Compared` that hold results.
COMPARED = ("method", "floor", "ceiling", "method_like_ceiling")


@dataclass(frozen=True)
class Sides:
    """Everything that a metric is computed on.

    Attributes
    ----------
    retrained, unlearned : the two ensembles
    originals : the original models; None where there are none
    ceiling : a second set of retrained models; None: two halves of the first stand for it
    halves : int [2, models // 2], disjoint halves of the retrained models
    """

    retrained: Ensemble
    unlearned: Ensemble
    originals: Ensemble | None
    ceiling: Ensemble | None
    halves: np.ndarray

    def pairs(self, role: str, signal: Signal, least: int = 2) -> dict[str, tuple[np.ndarray, np.ndarray] | None]:
        """Field of a `schema.Compared` -> arrays [models, examples] of the reference and what is held against it.

        None where a role was not recorded or there are fewer than ``least`` models.
        """

        def values(side: Ensemble | None) -> np.ndarray | None:
            return signal(side.roles[role]) if side is not None and role in side.roles else None

        theirs, ours, originals = values(self.retrained), values(self.unlearned), values(self.originals)
        found: dict[str, tuple[np.ndarray, np.ndarray] | None] = dict.fromkeys(COMPARED)
        if theirs is None or ours is None:
            return found
        found["method"] = (theirs, ours)
        if self.ceiling is None:
            first, second = self.halves
            if len(first) < least:
                return found
            reference, again, ours = theirs[first], theirs[second], ours[second]
        else:
            reference, again = theirs, values(self.ceiling)
        found["method_like_ceiling"] = (reference, ours)
        if again is not None:
            found["ceiling"] = (reference, again)
        if originals is not None:
            found["floor"] = (reference, originals[np.arange(len(reference)) % len(originals)])
        return found

    def compared(
        self, role: str, signal: Signal, measure: Callable[..., Any], summary: Callable[[Any], dict], least: int = 2
    ) -> tuple[dict[str, Any] | None, Any]:
        """A metric's `schema.Compared`, and the method's own result; None where the role was not recorded."""
        pairs = self.pairs(role, signal, least)
        if pairs["method"] is None:
            return None, None
        results = {name: None if pair is None else measure(*pair) for name, pair in pairs.items()}
        section = {name: None if result is None else summary(result) for name, result in results.items()}
        return {**section, "ceiling_models": self.ceiling_models}, results["method"]

    def parts(self, role: str, size: int) -> Iterator[Sides]:
        """The sides with the outputs of one role alone, ``size`` examples at a time; nothing if no side has them."""
        sides = {name: getattr(self, name) for name in ("retrained", "unlearned", "originals", "ceiling")}
        given = {name: side for name, side in sides.items() if side is not None and role in side.roles}
        for blocks in zip(*(side.blocks(role, size) for side in given.values()), strict=True):
            parts = zip(given.items(), blocks, strict=True)
            yield replace(self, **{name: replace(side, roles={role: block}) for (name, side), block in parts})

    @property
    def ceiling_models(self) -> int:
        """Models a side of the ceiling and the floor."""
        return self.halves.shape[1] if self.ceiling is None else len(self.retrained)


def finite(value: float) -> float | None:
    """A number for JSON, which knows neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None


def _confidence(outputs: Outputs) -> np.ndarray:
    return outputs.saturated


def _loss(outputs: Outputs) -> np.ndarray:
    return outputs.loss


def heldout_section(sides: Sides, delta: float) -> tuple[dict[str, Any], HeldoutResult]:
    """Held-out epsilon, and its per-example result."""
    models = len(sides.retrained)

    def measure(theirs: np.ndarray, ours: np.ndarray) -> HeldoutResult:
        return heldout(theirs, ours, min(FOLDS, len(theirs)), delta)

    def summary(result: HeldoutResult) -> dict[str, float]:
        return {
            "epsilon_median": float(np.median(result.epsilons)),
            "epsilon_mean": float(result.epsilons.mean()),
            "bound_median": float(np.median(result.bounds)),
            "bound_max": float(result.bounds.max()),
            "share_shown": float((result.bounds > 0).mean()),
            "forgetting_score": result.forgetting_score,
        }

    section, result = sides.compared("forget", _confidence, measure, summary)
    return {**section, "largest_bound": largest_bound(models, delta)}, result


def klom_section(sides: Sides) -> tuple[dict[str, Any], np.ndarray]:
    """KLOM on forget, probe and test examples, and the forget examples' values."""

    def summary(values: np.ndarray) -> dict[str, float]:
        return {"mean": float(values.mean()), "p95": float(np.quantile(values, 0.95))}

    def one(role: str) -> tuple[dict[str, Any] | None, np.ndarray | None]:
        values: dict[str, list[np.ndarray]] = {name: [] for name in COMPARED}
        for part in sides.parts(role, BLOCK):
            for name, pair in part.pairs(role, _confidence).items():
                if pair is not None:
                    values[name].append(klom(*pair))
        if not values["method"]:
            return None, None
        results = {name: np.concatenate(parts) if parts else None for name, parts in values.items()}
        section = {name: None if result is None else summary(result) for name, result in results.items()}
        return {**section, "ceiling_models": sides.ceiling_models}, results["method"]

    found = {role: one(role) for role in ("forget", "probe", "test")}
    return {role: section for role, (section, _) in found.items()}, found["forget"][1]


def ulira_section(sides: Sides) -> tuple[dict[str, Any], UliraResult]:
    """U-LiRA, and its per-example result."""

    def summary(result: UliraResult) -> dict[str, float]:
        return {
            f"{name}{suffix}": float(reduce(values))
            for name, values in (("accuracy", result.accuracies), ("auc", result.aucs), ("tpr", result.tprs))
            for suffix, reduce in (("", np.mean), ("_worst", np.max))
        }

    return sides.compared("forget", _confidence, ulira, summary, least=LEAST_MODELS)


def two_sample_section(sides: Sides) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray]]:
    """Kolmogorov-Smirnov and mu, and the forget examples' p-values and mus."""

    def measure(theirs: np.ndarray, ours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ks_p_values(theirs, ours), gaussian_mu(theirs, ours)

    def summary(result: tuple[np.ndarray, np.ndarray]) -> dict[str, float | None]:
        p_values, mus = result
        return {
            "told_apart": float(told_apart(p_values).mean()),
            "p_median": float(np.median(p_values)),
            "mu_median": finite(np.median(mus)),
        }

    return sides.compared("forget", _confidence, measure, summary)


def seed_section(sides: Sides) -> tuple[dict[str, Any], SeedResult]:
    """The seed notebook's score on losses, with its flaw, and its per-example result."""
    threshold = default_threshold(len(sides.retrained), len(sides.unlearned))

    def measure(theirs: np.ndarray, ours: np.ndarray) -> SeedResult:
        return seed_notebook(theirs, ours, threshold)

    def summary(result: SeedResult) -> dict[str, float | None]:
        return {
            "score": finite(result.score),
            "accuracy": float(result.accuracies.mean()),
            "dropped_share": result.dropped_share,
        }

    section, result = sides.compared("forget", _loss, measure, summary, least=4)
    return {**section, "threshold": threshold, "flaw": FLAW}, result


def mia_section(sides: Sides, seed: int) -> dict[str, Any] | None:
    """The starting kit's attack: originals as floor, retrained models as ceiling. None without enough test losses."""

    def one(side: Ensemble | None) -> dict[str, float] | None:
        if side is None or "test" not in side.roles:
            return None
        forget, test = side.forget.loss, side.roles["test"].loss
        if min(forget.shape[1], test.shape[1]) < SPLITS:
            return None
        accuracies = simple_mia(forget, test, seed)
        return {"accuracy": float(accuracies.mean()), "sd": float(accuracies.std(ddof=1)) if len(side) > 1 else 0.0}

    method = one(sides.unlearned)
    if method is None:
        return None
    # Each model is attacked by itself, so the number of models changes nothing.
    return {
        "method": method,
        "floor": one(sides.originals),
        "ceiling": one(sides.retrained),
        "method_like_ceiling": method,
        "ceiling_models": len(sides.retrained),
    }
