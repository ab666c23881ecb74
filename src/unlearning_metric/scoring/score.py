"""Ensembles -> the score document of a method, and its per-example table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearning_metric.config import PER_COPY
from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import ChallengeResult, challenge, challenge_score, split_ceiling
from unlearning_metric.metrics.table import METRICS
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.scoring.efficiency import efficiency_section
from unlearning_metric.scoring.examples import samples
from unlearning_metric.scoring.intervals import (
    LEAST_HALVED,
    ScoreReplicates,
    SortedSides,
    accuracy_factor,
    by_models,
    intervals_section,
    score_replicates,
    strata,
)
from unlearning_metric.scoring.schema import SCHEMA_VERSION, ScoreDocument
from unlearning_metric.scoring.sections import measured
from unlearning_metric.scoring.sides import Ensembles, Sides
from unlearning_metric.scoring.warnings import score_warnings, settings_warnings
from unlearning_metric.seeds import Streams

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Score:
    """Everything that is written of a method.

    Attributes
    ----------
    document : the score document (`score_schema`), JSON-serialisable
    samples : columns of the per-example table (`examples.COLUMNS`), arrays [examples]
    replicates : what the leaderboard compares two methods with; None for fewer than 16 models
    """

    document: dict[str, Any]
    samples: dict[str, np.ndarray]
    replicates: ScoreReplicates | None


def canonical(document: Mapping[str, Any]) -> bytes:
    """The part of a score document that depends on nothing but configuration, versions and data, as bytes.

    Drops exactly ``efficiency`` and, of ``provenance``, the records ``code`` and ``run``; sorted keys, no white space,
    UTF-8.
    """
    kept = {name: value for name, value in document.items() if name != "efficiency"}
    kept["provenance"] = {name: v for name, v in document["provenance"].items() if name not in ("code", "run")}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def _originals_mode(originals: Ensemble | None, copies: int) -> str:
    """Which copy starts from which original, by their number."""
    if originals is None or len(originals) == 1:
        return "each"
    return PER_COPY if len(originals) == copies else "mixture"


def repeat_originals(originals: Ensemble, copies: int) -> np.ndarray:
    """Confidence [copies, examples] of doing nothing: copy i is original ``i % originals``."""
    return originals.forget.saturated[np.arange(copies) % len(originals)]


def _challenge_section(
    result: ChallengeResult,
    retrained: Ensemble,
    unlearned: Ensemble,
    floor: float | None,
    ceiling: float | None,
    utility: Mapping[str, Any],
) -> dict[str, Any]:
    defined = result.epsilons[~result.undefined]
    values, counts = np.unique(result.points, return_counts=True)
    score = result.forgetting_score
    factor = accuracy_factor(retrained, unlearned)
    clipped = None
    if factor is not None:
        clipped = score * min(1.0, utility["retain"]["ratio"]) * min(1.0, utility["test"]["ratio"])
    return {
        "forgetting_score": score,
        "final_score": None if factor is None else score * factor,
        "final_score_clipped": clipped,
        "floor": floor,
        "ceiling": ceiling,
        "relative": None if ceiling is None else _ratio(score, ceiling),
        "epsilon_quantiles": {
            f"{quantile:g}": float(np.quantile(defined, quantile)) if len(defined) else None for quantile in QUANTILES
        },
        "points_histogram": {f"{value:g}": int(count) for value, count in zip(values, counts, strict=True)},
        "n_infinite": int(result.infinite.sum()),
        "n_peaky": int(result.peaky.sum()),
        "n_undefined": int(result.undefined.sum()),
        "undefined_examples": retrained.forget.examples[result.undefined].tolist(),
        "retrained_sd_median": float(np.median(retrained.forget.confidence.std(axis=0, ddof=1))),
    }


def _utility_section(retrained: Ensemble, unlearned: Ensemble) -> dict[str, Any]:
    section = {}
    for name in ("retain", "test", "forget"):
        of_retrained, of_unlearned = (
            float(side.accuracy[name].mean()) if name in side.accuracy else None for side in (retrained, unlearned)
        )
        ratio = None if of_retrained is None or of_unlearned is None else _ratio(of_unlearned, of_retrained)
        section[name] = {"unlearned": of_unlearned, "retrained": of_retrained, "ratio": ratio}
    return section


def _ceiling(given: Ensembles, split_seed: int, delta: float) -> tuple[float | None, float | None, float | None]:
    """The ceiling; where halves stand for a second set, also their mean score and its correction."""
    reference = given.retrained.forget.saturated
    if given.ceiling is not None:
        return challenge_score(reference, given.ceiling.forget.saturated, delta), None, None
    if len(reference) < LEAST_HALVED:
        return None, None, None
    plain = split_ceiling(reference, split_seed, delta=delta)
    correction = split_correction(reference, split_seed, delta)
    return plain * correction, plain, correction


def _what_is_scored(method: str, given: Ensembles, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The first fields of the document."""
    originals, copies = given.originals, len(given.retrained)
    return {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "copies": copies,
        "originals": 0 if originals is None else len(originals),
        "originals_mode": _originals_mode(originals, copies),
        "by_original": None,
        "dataset": settings["data"]["source"],
        "model": settings["model"]["name"] or settings["model"]["file"],
        "forget": {"strategy": settings["forget"]["strategy"], "size": len(given.retrained.forget.examples)},
    }


def score_method(
    method: str,
    given: Ensembles,
    settings: Mapping[str, Any],
    made: Mapping[str, str],
    keys: Mapping[str, str],
    run: Mapping[str, Any],
) -> Score:
    """Score one method by every metric.

    Parameters
    ----------
    settings : the parts of the configuration that can change the document, and how hyper-parameters were ``tuned``
    made : ``engine`` and ``precision`` of the models
    keys : keys of the inputs, for the provenance
    run : where it was made; never part of the canonical form
    """
    retrained, unlearned, originals = given.retrained, given.unlearned, given.originals
    copies, delta = len(retrained), settings["delta"]
    reference = retrained.forget.saturated
    result = challenge(reference, unlearned.forget.saturated, delta)
    floor = None if originals is None else challenge_score(reference, repeat_originals(originals, copies), delta)
    # One stream for the ceiling's splits, one for everything that two methods must share to be compared.
    split_seed = Streams(settings["experiment_seed"], "ceiling").integer("splits")
    pairing = Streams(settings["experiment_seed"], "score")
    ceiling, plain, correction = _ceiling(given, split_seed, delta)

    by_size = SortedSides.of(retrained, unlearned, given.ceiling)
    replicates = score_replicates(
        retrained, unlearned, by_size, result.points, pairing.integer("deletions"), split_seed, delta, correction
    )
    whole = None if replicates is None else replicates.forgetting
    halves = pairing.numpy("halves").permutation(copies)[: copies // 2 * 2].reshape(2, -1)
    sides = Sides(retrained, unlearned, originals, given.ceiling, halves)
    found = {name: measured(metric, sides, delta, pairing) for name, metric in METRICS.items()}

    utility = _utility_section(retrained, unlearned)
    section = _challenge_section(result, retrained, unlearned, floor, ceiling, utility)
    document = {
        **_what_is_scored(method, given, settings),
        "challenge": {
            **section,
            "ceiling_source": settings["ceiling"],
            "ceiling_uncorrected": plain,
            "ceiling_correction": correction,
            "interval": intervals_section(replicates, copies, len(retrained.forget.examples)),
        },
        "by_models": by_models(by_size, whole, result.points, pairing.integer("subsets"), delta),
        "strata": strata(retrained, result.points, whole),
        **{name: of_metric.section for name, of_metric in found.items()},
        "utility": utility,
        "efficiency": efficiency_section(retrained, unlearned, **settings["efficiency"]),
        "tuned": settings.get("tuned"),
        "cuda": settings.get("cuda"),
        "diverged": unlearned.diverged,
        "warnings": [
            *score_warnings({**section, "ceiling_correction": correction}, given),
            *settings_warnings(settings),
        ],
        "provenance": {
            "configuration": {name: value for name, value in settings.items() if name != "tuned"},
            "keys": dict(keys),
            **made,
            "run": dict(run),
        },
    }
    ScoreDocument.model_validate(document)
    columns = {name: values for of_metric in found.values() for name, values in of_metric.columns.items()}
    return Score(document, samples(retrained, unlearned, result, columns), replicates)
