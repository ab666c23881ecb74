"""Ensembles of drawn outputs, and their scores, for the tests of everything that scores."""

import numpy as np

from unlearning_metric.outputs.ensemble import ACCURACIES, Ensemble, Outputs
from unlearning_metric.scoring.score import score_method
from unlearning_metric.scoring.sides import Ensembles

N, EXAMPLES = 16, 30
SETTINGS = {
    "experiment_seed": 3, "copies": N, "originals": 1, "ceiling": "split", "data": {"source": "digits"},
    "forget": {"strategy": "random", "count": EXAMPLES}, "model": {"name": "mlp"},
    "training": {"precision": "fp32", "crop": 0, "steps": 9},
    "delta": 1e-5, "efficiency": {"limit": 0.2}, "options": {},
}  # fmt: skip


def outputs(confidence):
    examples = confidence.shape[1]
    return Outputs(
        examples=np.arange(examples) * 3,
        labels=np.arange(examples) % 10,
        confidence=confidence,
        loss=np.logaddexp(0, -confidence),
        correct=confidence > 0,
    )


def ensemble(seed, models=N, spread=2.0, shift=0.0, accuracy=0.9, seconds=1.0, diverged=(), confidence=None, **kept):
    rng = np.random.default_rng(seed)
    if confidence is None:
        confidence = rng.normal(shift, spread, size=(models, EXAMPLES))
    rates = accuracy if isinstance(accuracy, dict) else dict.fromkeys(ACCURACIES, accuracy)
    test = rng.normal(shift, spread, size=(models, 12))
    return Ensemble(
        order="o",
        models=np.arange(models),
        roles={"forget": outputs(confidence), "test": outputs(test)},
        accuracy={name: np.full(models, rate) for name, rate in rates.items()},
        diverged=list(diverged),
        seconds=np.full(models, seconds),
        runs=[{"host": "h"}],
        **kept,
    )


RETRAINED = ensemble(0)
ORIGINAL = ensemble(2, models=1)


def whole_score(unlearned=None, retrained=RETRAINED, originals=ORIGINAL, ceiling=None, **settings):
    unlearned = unlearned if unlearned is not None else ensemble(1)
    settings = {**SETTINGS, "ceiling": "split" if ceiling is None else "retrain", **settings}
    keys, run = {"retrained": "r", "score": "s"}, {"host": "h"}
    made = {"engine": "loop", "precision": "fp32"}
    return score_method("mine", Ensembles(retrained, unlearned, originals, ceiling), settings, made, keys, run)


def score(*sides, **named):
    found = whole_score(*sides, **named)
    return found.document, found.samples
