"""Ensembles: which may stand on the two sides of a score."""

import dataclasses

import numpy as np
import pytest

from unlearning_metric.outputs.ensemble import DivergedError, Ensemble, Outputs, refuse_diverged
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.store.files import StoreError


def ensemble(seed, examples=(4, 9, 30), order="o", diverged=()):
    confidence = np.random.default_rng(seed).normal(size=(3, len(examples)))
    outputs = Outputs(np.array(examples), np.zeros(len(examples)), confidence, confidence)
    return Ensemble(order, np.arange(3), {"forget": outputs}, {}, list(diverged))


def test_sides_of_one_split_belong_together():
    refuse_mixed({"retrained": ensemble(0), "unlearned": ensemble(1), "originals": ensemble(2)})


@pytest.mark.parametrize("options", [{"order": "p"}, {"examples": (4, 9, 31)}, {"examples": (9, 4, 30)}])
def test_sides_with_other_examples_or_another_order_are_refused(options):
    with pytest.raises(StoreError, match=r"unlearned.*forget"):
        refuse_mixed({"retrained": ensemble(0), "unlearned": ensemble(1, **options)})


def with_row(side, row, values):
    confidence = side.forget.confidence.copy()
    confidence[row] = values
    return dataclasses.replace(side, roles={"forget": dataclasses.replace(side.forget, confidence=confidence)})


def test_a_model_on_both_sides_is_refused():
    retrained = ensemble(0)
    unlearned = with_row(ensemble(1), 2, retrained.forget.confidence[1])
    with pytest.raises(StoreError, match=r"model 2 .*unlearned.*retrained model 1"):
        refuse_mixed({"retrained": retrained, "unlearned": unlearned})


def test_diverged_models_are_alike_without_being_the_same():
    sides = [with_row(ensemble(seed, diverged=[1]), 1, -103.6) for seed in (0, 1)]
    refuse_mixed(dict(zip(("retrained", "unlearned"), sides, strict=True)))


def test_confidence_saturates_where_the_published_logarithms_do():
    side = with_row(ensemble(0), 0, [-500.0, 3.0, 500.0])
    assert side.forget.saturated[0].tolist() == [-103.6, 3.0, 103.6]


def test_diverged_models_stop_the_run_only_where_asked_for():
    refuse_diverged("keep", "unlearn/mine", [3])
    refuse_diverged("fail", "unlearn/mine", [])
    with pytest.raises(DivergedError, match="unlearn/mine: models 3, 5 have non-finite"):
        refuse_diverged("fail", "unlearn/mine", [3, 5])
