"""Replicates of a method's score, what they give, and the file in which the leaderboard finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.metrics.intervals import relative_interval, score_interval
from unlearning_metric.metrics.replicates import LEAST_MODELS, Replicates, deletions, freedom, replicates
from unlearning_metric.metrics.subsets import Sorted, halves_points, subset_points, subsets_number, subsets_points
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.scoring.parts import in_parts
from unlearning_metric.store.files import read_npz, write_npz

LEVEL = 0.95
#: Below this many examples the variance between them, on which an interval rests, is not known well enough.
LEAST_EXAMPLES = 8
#: Below this many originals the spread between them, on which the interval of another rests, is not known well enough.
LEAST_ORIGINALS = 3
#: Below this many models a side the challenge's buckets are too few for a score.
LEAST_SUBSET = 4
#: Below this many models their halves are too small for the challenge's first bucket: a ceiling from them would be 0.
LEAST_HALVED = 6


@dataclass(frozen=True)
class ScoreReplicates:
    """Replicates of one method.

    Attributes
    ----------
    forgetting : of the forgetting score
    final : of the final score; None where an accuracy is not known or the retrained one is 0
    ceiling : of the ceiling, with the same deletions
    from_splits : whether the ceiling is a mean over random half-splits
    """

    forgetting: Replicates
    final: Replicates | None
    ceiling: Replicates
    from_splits: bool


@dataclass(frozen=True)
class SortedSides:
    """Saturated confidences, sorted once for all subsets of the models that are scored.

    Attributes
    ----------
    method : of the retrained and the unlearned models
    ceiling : of the retrained models and a second set of them; or of the first alone, whose halves stand for both
    """

    method: Sorted
    ceiling: Sorted

    @classmethod
    def of(cls, retrained: Ensemble, unlearned: Ensemble, ceiling: Ensemble | None) -> SortedSides:
        """Those of the ensembles."""
        reference = retrained.forget.saturated
        again = () if ceiling is None else (ceiling.forget.saturated,)
        return cls(Sorted.of(reference, unlearned.forget.saturated), Sorted.of(reference, *again))


def score_replicates(
    retrained: Ensemble,
    unlearned: Ensemble,
    sides: SortedSides,
    points: np.ndarray,
    seed: int,
    split_seed: int,
    delta: float,
    correction: float | None = None,
) -> ScoreReplicates | None:
    """Score again with each line of models deleted; None for fewer than 16 models or 8 forget examples.

    Parameters
    ----------
    points : float64 [examples], on all models
    seed : of the deletions; equal seeds pair two methods
    split_seed : of the half-splits
    correction : what the mean of half-splits is multiplied with; None where the ceiling is no such mean
    """
    models = len(retrained)
    if models < LEAST_MODELS or len(points) < LEAST_EXAMPLES:
        return None

    def of_method(kept: np.ndarray) -> np.ndarray:
        return subset_points(sides.method, kept[None], models + kept[None], delta)

    of_both = freedom(retrained.forget.saturated, unlearned.forget.saturated)
    forgetting = replicates(of_method, models, seed, points, of_both, partial(in_parts, "intervals of the score"))
    return ScoreReplicates(
        forgetting=forgetting,
        final=_final(forgetting, retrained, unlearned, deletions(models, seed)[0]),
        ceiling=ceiling_replicates(retrained, sides.ceiling, seed, split_seed, delta, correction),
        from_splits=_from_splits(sides.ceiling, models),
    )


def _from_splits(ceiling: Sorted, models: int) -> bool:
    return ceiling.values.shape[1] == models


def ceiling_replicates(
    retrained: Ensemble, ceiling: Sorted, seed: int, split_seed: int, delta: float, correction: float | None = None
) -> Replicates:
    """The ceiling scored again with each line of models deleted.

    Parameters
    ----------
    ceiling : as that of `SortedSides`
    seed : of the deletions
    split_seed : of the half-splits
    correction : what the mean of half-splits is multiplied with; None where the ceiling is no such mean
    """
    models = len(retrained)

    def of_ceiling(kept: np.ndarray) -> np.ndarray:
        if _from_splits(ceiling, models):
            return halves_points(ceiling, kept, split_seed, delta=delta)
        return subset_points(ceiling, kept[None], models + kept[None], delta)

    each = partial(in_parts, "intervals of the ceiling")
    found = replicates(of_ceiling, models, seed, freedom=freedom(retrained.forget.saturated), each=each)
    return found if correction is None else found.scaled(correction, np.full(found.deleted.shape[:2], correction))


def accuracy_factor(retrained: Ensemble, unlearned: Ensemble, kept: np.ndarray | slice = slice(None)) -> float | None:
    """Product of the retain and the test accuracy ratio over the models ``kept``; None where one is not known."""
    factor = 1.0
    for name in ("retain", "test"):
        if name not in retrained.accuracy or name not in unlearned.accuracy:
            return None
        of_retrained = float(retrained.accuracy[name][kept].mean())
        if of_retrained <= 0.0:
            return None
        factor *= float(unlearned.accuracy[name][kept].mean()) / of_retrained
    return factor


def _final(forgetting: Replicates, retrained: Ensemble, unlearned: Ensemble, kept: np.ndarray) -> Replicates | None:
    whole = accuracy_factor(retrained, unlearned)
    factors = [[accuracy_factor(retrained, unlearned, line) for line in partition] for partition in kept]
    if whole is None or any(factor is None for partition in factors for factor in partition):
        return None
    return forgetting.scaled(whole, np.array(factors))


def _both(interval: Any) -> dict[str, Any]:
    return {"models": list(interval(False)), "models_and_examples": list(interval(True))}


def intervals_section(found: ScoreReplicates | None, models: int, examples: int) -> dict[str, Any]:
    """The document's ``challenge.interval``, of this many models a side and forget examples."""
    section: dict[str, Any] = {"level": LEVEL, "reason": None}
    if found is None:
        reasons = []
        if models < LEAST_MODELS:
            reasons.append(f"{models} models a side: an interval needs at least {LEAST_MODELS}, raise copies")
        if examples < LEAST_EXAMPLES:
            reasons.append(f"{examples} forget examples: an interval needs at least {LEAST_EXAMPLES}")
        reason = "; ".join(reasons)
        return {**section, "reason": reason} | dict.fromkeys(("forgetting_score", "final_score", "relative", "ceiling"))
    relative = None
    if found.ceiling.score > 0:
        relative = _both(lambda e: relative_interval(found.forgetting, found.ceiling, found.from_splits, e))
    return {
        **section,
        "forgetting_score": _both(lambda e: score_interval(found.forgetting, e)),
        "final_score": None if found.final is None else _both(lambda e: score_interval(found.final, e)),
        "relative": relative,
        "ceiling": _both(lambda e: score_interval(found.ceiling, e)),
    }


def by_models(
    sides: SortedSides, whole: Replicates | None, points: np.ndarray, seed: int, delta: float
) -> list[dict[str, Any]]:
    """The score at N/8, N/4, N/2 (means over random subsets) and N.

    Parameters
    ----------
    whole : replicates on all models; None where there are too few for an interval
    points : float64 [examples], on all models
    seed : of the subsets, and of the deletions for their intervals
    """
    models = sides.method.values.shape[1] // 2
    entries = []
    for part in (8, 4, 2):
        size = models // part
        if size < LEAST_SUBSET:
            continue

        def of_subsets(kept: np.ndarray, size: int = size) -> np.ndarray:
            return subsets_points(sides.method, kept, size, seed, delta)

        subsets = subsets_number(models, size)
        if whole is None:
            mean, interval = of_subsets(np.arange(models)).mean(), None
        else:
            each = partial(in_parts, f"intervals at {size} models")
            found = replicates(of_subsets, models, seed, freedom=whole.freedom, each=each)
            mean, interval = found.score, list(score_interval(found))
        entries.append({"models": size, "subsets": subsets, "forgetting_score": float(mean), "interval": interval})
    interval = None if whole is None else list(score_interval(whole))
    entries.append({"models": models, "subsets": 1, "forgetting_score": float(points.mean()), "interval": interval})
    return entries


def strata(retrained: Ensemble, points: np.ndarray, whole: Replicates | None) -> dict[str, Any]:
    """The forgetting score by class, under its name, by group, and by thirds of the retrained models' median loss."""
    difficulty = retrained.forget.median_loss
    # By rank, so that ties leave the thirds equal.
    third = np.argsort(np.argsort(difficulty, kind="stable"), kind="stable") * 3 // len(difficulty)
    names = np.array(["easy", "medium", "hard"])[third]

    def of(values: np.ndarray) -> dict[str, Any]:
        return {str(value): _stratum(values == value, points, whole) for value in np.unique(values)}

    labels = retrained.forget.labels
    # Models trained elsewhere may come without labels.
    by_label = of(labels) if (labels >= 0).all() else {}
    return {
        "label": {retrained.class_name(int(label)): part for label, part in by_label.items()},
        "group": None if retrained.groups is None else of(retrained.groups),
        "difficulty": of(names),
    }


def _stratum(chosen: np.ndarray, points: np.ndarray, whole: Replicates | None) -> dict[str, Any]:
    interval = None
    if whole is not None and chosen.sum() >= LEAST_EXAMPLES:
        interval = list(score_interval(whole.of(chosen)))
    return {"examples": int(chosen.sum()), "forgetting_score": float(points[chosen].mean()), "interval": interval}


def write_replicates(path: Path | str, found: ScoreReplicates | None, header: Mapping[str, Any]) -> None:
    """Write the final score's replicates, by which the leaderboard compares two methods; empty where there are none."""
    final = None if found is None else found.final
    arrays = {} if final is None else {name: np.asarray(value) for name, value in vars(final).items()}
    write_npz(path, arrays, header)


def read_replicates(path: Path | str, key: str | None = None) -> Replicates | None:
    """The final score's replicates; None where it has none. Raises as `store.read_npz` does."""
    arrays, _ = read_npz(path, key)
    if not arrays:
        return None
    numbers = {name: float(arrays[name]) for name in ("factor", "freedom")}
    return Replicates(arrays["points"], arrays["deleted"], **numbers, each=arrays["each"])
