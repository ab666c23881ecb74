"""What a reader of a score has to know of its inputs, a sentence each: the document's ``warnings``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.outputs.independence import repeated_models
from unlearning_metric.scoring.intervals import LEAST_HALVED
from unlearning_metric.scoring.sides import Ensembles

#: Below this median spread (in units of logit-scaled confidence) the metric's fixed grid is coarse.
COARSE_SPREAD = 1.0
#: Examples that a warning names; the document lists all.
SHOWN = 10
#: A correction of the ceiling of more than this is spoken of.
LARGE_CORRECTION = 0.05
#: Originals and retrained models of one recipe differ by less than this in their accuracy on the retain set.
UNLIKE = 0.1


def _trained_unlike(originals: Ensemble | None, retrained: Ensemble) -> str | None:
    """A warning where originals and retrained models differ on the retain set, which both trained on."""
    if originals is None or not all("retain" in side.accuracy for side in (originals, retrained)):
        return None
    of_retrained = retrained.accuracy["retain"]
    original, mean = float(originals.accuracy["retain"].mean()), float(of_retrained.mean())
    if abs(original - mean) <= max(UNLIKE, 3 * float(of_retrained.std(ddof=1))):
        return None
    return (
        f"the original is right on {original:.1%} of the retain set, the retrained models on {mean:.1%}: they were not "
        "trained alike (another recipe, normalisation or numbering of the classes?), and the score tells that apart, "
        "not forgetting"
    )


def _repeated(side: Ensemble, name: str, what: str) -> str | None:
    """A warning where models of a side are no separate models."""
    groups = repeated_models(side)
    if not groups:
        return None
    distinct = len(side) - sum(len(group) - 1 for group in groups)
    shown = "; ".join(
        ", ".join(map(str, group[:SHOWN])) + (", ..." if len(group) > SHOWN else "") for group in groups[:SHOWN]
    )
    return (
        f"of the {len(side)} {name} only {distinct} are separate models, the others have equal or nearly equal outputs "
        f"(models {shown}{'; ...' if len(groups) > SHOWN else ''}): one seed or checkpoint for several of them, or a "
        f"training function that seeds itself, distorts {what}"
    )


def repeated_originals(originals: Ensemble) -> list[str]:
    """A warning where some of several originals, each of which is scored by itself, are no separate models."""
    found = _repeated(originals, "original models", "the spread between originals and every interval")
    return [found] if found else []


def _no_final_score(retrained: Ensemble, unlearned: Ensemble) -> str | None:
    """A warning where the accuracies of a final score are there in part."""
    sides = {"retrained": retrained, "unlearned": unlearned}
    names = [
        (f"{name}_accuracy", side) for name in ("retain", "test") for side in sides if name in sides[side].accuracy
    ]
    if len(names) in (0, 4):
        return None
    lacking = [
        f"{name}_accuracy of the {side} models"
        for name in ("retain", "test")
        for side in sides
        if name not in sides[side].accuracy
    ]
    return f"no final score: there is no {' and no '.join(lacking)}"


def settings_warnings(settings: Mapping[str, Any]) -> list[str]:
    """What a reader has to know of how models were made."""
    found = []
    if weights := settings["model"].get("weights"):
        found.append(
            f"every model starts from the weights {Path(weights).name}, so models differ by head, order and "
            "augmentation alone and spread less than from scratch. If the weights were trained on forget examples, "
            "no model here has forgotten them, and the score does not tell"
        )
    return found + [f"tuning: {warning}" for warning in (settings.get("tuned") or {}).get("warnings", ())]


def _of_models(given: Ensembles) -> list[str]:
    """Warnings about the models and their outputs: diverged, trained unlike, repeated, odd."""
    found = []
    for side, name, what in (
        (given.retrained, "retrained models", "every score and the ceiling"),
        (given.originals, "original models", "the floor and all copies"),
        (given.ceiling, "retrained models of the ceiling", "the ceiling"),
    ):
        if side is not None and side.diverged:
            found.append(
                f"{len(side.diverged)} of {len(side)} {name} diverged and count as wrong everywhere, which distorts "
                f"{what}: mend the recipe (a lower training.lr, say)"
            )
    if unlike := _trained_unlike(given.originals, given.retrained):
        found.append(unlike)
    for side, name, what in (
        (given.retrained, "retrained models", "every score, interval and the ceiling"),
        (given.ceiling, "retrained models of the ceiling", "the ceiling"),
        (given.originals, "original models", "the floor and all copies"),
    ):
        if side is not None and (repeated := _repeated(side, name, what)):
            found.append(repeated)
    for side, name in (
        (given.retrained, "retrained"),
        (given.unlearned, "unlearned"),
        (given.originals, "original"),
        (given.ceiling, "ceiling's retrained"),
    ):
        found += [f"outputs of the {name} models: {doubt}" for doubt in (side.doubts if side is not None else ())]
    return found


def score_warnings(challenge_section: Mapping[str, Any], given: Ensembles) -> list[str]:
    """All that a reader has to know of a score, in the order of the document."""
    retrained, unlearned = given.retrained, given.unlearned
    found = _of_models(given)
    if challenge_section["ceiling"] is None:
        found.append(
            f"no ceiling: halves of {len(retrained)} retrained models are too few for the challenge's first bucket. A "
            f"ceiling needs at least {LEAST_HALVED} models a side, or a second set of retrained models"
        )
    correction = challenge_section.get("ceiling_correction")
    if correction is not None and abs(correction - 1) > LARGE_CORRECTION:
        found.append(
            f"the ceiling, a mean of half-splits, was multiplied by {correction:.2f}, since halves have half as many "
            "models and the metric's grid is coarse for confidences that spread little: relative scores rest on that. "
            "ceiling: retrain needs no correction"
        )
    if no_final := _no_final_score(retrained, unlearned):
        found.append(no_final)
    if challenge_section["retrained_sd_median"] < COARSE_SPREAD:
        of_halves = "" if correction is None else "; a ceiling from half-splits may be off by some 6 % even so"
        found.append(
            f"the retrained models' confidences spread little (median sd "
            f"{challenge_section['retrained_sd_median']:.2f} < {COARSE_SPREAD:g}): the metric's fixed grid of 0.01 is "
            f"coarse for them, and scores, ceiling included, come out lower than elsewhere{of_halves}"
        )
    if challenge_section["n_undefined"]:
        shown = challenge_section["undefined_examples"][:SHOWN]
        more = (
            f" and {challenge_section['n_undefined'] - SHOWN} more" if challenge_section["n_undefined"] > SHOWN else ""
        )
        found.append(
            f"{challenge_section['n_undefined']} examples have no defined epsilon and count 0 points: "
            f"{', '.join(map(str, shown))}{more}"
        )
    if retrained.duplicates:
        found.append(
            f"{retrained.duplicates} of {len(retrained.forget.examples)} forget examples are in the retain set as "
            "well, value by value: forgetting them is undefined"
        )
    found += retrained.data_warnings
    if unlearned.diverged:
        found.append(f"{len(unlearned.diverged)} of {len(unlearned)} copies diverged and count as wrong everywhere")
    return found
