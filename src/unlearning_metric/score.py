"""Dumps -> the score document of a method, and its per-example table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from unlearning_metric.dumps import Ensemble
from unlearning_metric.metrics.challenge import ChallengeResult, challenge, challenge_score, split_ceiling
from unlearning_metric.seeds import Streams

SCHEMA_VERSION = 1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Below this median spread (in units of logit-scaled confidence) the metric's fixed grid is coarse.
COARSE_SPREAD = 1.0
#: ln(1e-45), which the published code adds inside its logarithms (google-deepmind/unlearning_evaluation).
SATURATION = 103.6


def canonical(document: Mapping[str, Any]) -> bytes:
    """The part of a score document that depends on nothing but configuration, code and data, as bytes.

    Drops exactly ``efficiency`` and ``provenance.run``; sorted keys, no white space, UTF-8.
    """
    kept = {name: value for name, value in document.items() if name != "efficiency"}
    kept["provenance"] = {name: v for name, v in document["provenance"].items() if name != "run"}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def saturated(ensemble: Ensemble) -> np.ndarray:
    """Confidence [models, examples] within +-103.6, where the published code's logarithms saturate.

    A model that went far astray without diverging thus counts as a diverged one does.
    """
    return np.clip(ensemble.confidence, -SATURATION, SATURATION)


def repeat_originals(originals: Ensemble, copies: int) -> np.ndarray:
    """Confidence [copies, examples] of doing nothing: copy i is original ``i % originals``."""
    return saturated(originals)[np.arange(copies) % len(originals)]


def _challenge_section(
    result: ChallengeResult, retrained: Ensemble, floor: float, ceiling: float, utility: Mapping[str, Any]
) -> dict[str, Any]:
    defined = result.epsilons[~result.undefined]
    values, counts = np.unique(result.points, return_counts=True)
    ratios = [utility["retain"]["ratio"], utility["test"]["ratio"]]
    possible = all(ratio is not None for ratio in ratios)
    score = result.forgetting_score
    return {
        "forgetting_score": score,
        "final_score": score * ratios[0] * ratios[1] if possible else None,
        "final_score_clipped": score * min(1.0, ratios[0]) * min(1.0, ratios[1]) if possible else None,
        "floor": floor,
        "ceiling": ceiling,
        "relative": _ratio(score, ceiling),
        "epsilon_quantiles": {
            f"{quantile:g}": float(np.quantile(defined, quantile)) if len(defined) else None for quantile in QUANTILES
        },
        "points_histogram": {f"{value:g}": int(count) for value, count in zip(values, counts, strict=True)},
        "n_infinite": int(result.infinite.sum()),
        "n_peaky": int(result.peaky.sum()),
        "n_undefined": int(result.undefined.sum()),
        "undefined_examples": retrained.examples[result.undefined].tolist(),
        "retrained_sd_median": float(np.median(retrained.confidence.std(axis=0, ddof=1))),
    }


def _utility_section(retrained: Ensemble, unlearned: Ensemble) -> dict[str, Any]:
    section = {}
    for name in ("retain", "test", "forget"):
        theirs = float(retrained.accuracy[name].mean())
        ours = float(unlearned.accuracy[name].mean())
        section[name] = {"unlearned": ours, "retrained": theirs, "ratio": _ratio(ours, theirs)}
    return section


def _warnings(challenge_section: Mapping[str, Any], settings: Mapping[str, Any], diverged: int) -> list[str]:
    found = []
    if challenge_section["retrained_sd_median"] < COARSE_SPREAD:
        found.append(
            f"the retrained models' confidences spread little (median sd "
            f"{challenge_section['retrained_sd_median']:.2f} < {COARSE_SPREAD:g}): the metric's fixed grid of 0.01 is "
            "coarse for them, and scores, ceiling included, come out lower than elsewhere"
        )
    if challenge_section["n_undefined"]:
        found.append(
            f"{challenge_section['n_undefined']} examples have no defined epsilon and count 0 points: "
            f"{challenge_section['undefined_examples']}"
        )
    if diverged:
        found.append(f"{diverged} of {settings['copies']} copies diverged and count as wrong everywhere")
    return found


def score_document(
    method: str,
    retrained: Ensemble,
    unlearned: Ensemble,
    originals: Ensemble,
    ceiling_models: Ensemble | None,
    settings: Mapping[str, Any],
    keys: Mapping[str, str],
    run: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Score one method.

    Parameters
    ----------
    retrained, unlearned, originals : outputs on the forget set, N, N and at least 1 models
    ceiling_models : a second, disjoint set of N retrained models, or None for half-splits of the first
    settings : the parts of the configuration that can change the document
    keys : keys of the inputs, for the provenance
    run : where it was made; never part of the canonical form

    Returns
    -------
    document : the score document (schema version 1), JSON-serialisable
    samples : columns of the per-example table, arrays [examples]
    """
    copies, delta = len(retrained), settings["delta"]
    reference = saturated(retrained)
    result = challenge(reference, saturated(unlearned), delta)
    floor = challenge_score(reference, repeat_originals(originals, copies), delta)
    if ceiling_models is None:
        seed = Streams(settings["experiment_seed"], "ceiling").integer("splits")
        ceiling = split_ceiling(reference, seed, delta=delta)
    else:
        ceiling = challenge_score(reference, saturated(ceiling_models), delta)

    utility = _utility_section(retrained, unlearned)
    section = _challenge_section(result, retrained, floor, ceiling, utility)
    section["ceiling_source"] = settings["ceiling"]
    # Medians: the first model of each job also pays for warming up, and other load hits single models.
    each, full = float(np.median(unlearned.seconds)), float(np.median(retrained.seconds))
    ratio = each / full
    document = {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "copies": copies,
        "originals": len(originals),
        "dataset": settings["data"]["source"],
        "model": settings["model"]["name"],
        "forget": {"strategy": settings["forget"]["strategy"], "size": len(retrained.examples)},
        "challenge": section,
        "utility": utility,
        "efficiency": {
            "seconds_per_copy": each,
            "seconds_per_retrained": full,
            "ratio": ratio,
            "limit": settings["efficiency"]["limit"],
            "within_limit": ratio <= settings["efficiency"]["limit"],
            "passes": {name: float(of_copy.mean()) for name, of_copy in unlearned.passes.items()},
        },
        "diverged": unlearned.diverged,
        "warnings": _warnings(section, settings, len(unlearned.diverged)),
        "provenance": {
            "configuration": dict(settings),
            "keys": dict(keys),
            "engine": "loop",
            "precision": settings["training"]["precision"],
            "run": dict(run),
        },
    }
    samples = {
        "example": retrained.examples,
        "label": retrained.labels,
        "epsilon": result.epsilons,
        "points": result.points,
        "peaky": result.peaky,
        "infinite": result.infinite,
        "undefined": result.undefined,
        "retrained_mean": retrained.confidence.mean(axis=0),
        "retrained_sd": retrained.confidence.std(axis=0, ddof=1),
        "unlearned_mean": unlearned.confidence.mean(axis=0),
        "unlearned_sd": unlearned.confidence.std(axis=0, ddof=1),
        "retrained_accuracy": retrained.correct.mean(axis=0),
        "unlearned_accuracy": unlearned.correct.mean(axis=0),
    }
    return document, samples
