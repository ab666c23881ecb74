"""Score documents: every number from its definition."""

import copy
import dataclasses
import json

import numpy as np
import pytest
from drawn import EXAMPLES, ORIGINAL, RETRAINED, N, ensemble, score

from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge_score, split_ceiling
from unlearning_metric.outputs.ensemble import ACCURACIES
from unlearning_metric.scoring.examples import COLUMNS
from unlearning_metric.scoring.schema import ScoreDocument
from unlearning_metric.scoring.score import canonical, repeat_originals
from unlearning_metric.scoring.warnings import settings_warnings
from unlearning_metric.seeds import Streams


def test_passes_are_means_over_the_copies():
    counted = dataclasses.replace(ensemble(1), passes={"retain": np.arange(N) / N, "forget": np.zeros(N)})
    found = score(counted)[0]
    assert found["efficiency"]["passes"] == {"retain": (N - 1) / (2 * N), "forget": 0.0}
    assert score()[0]["efficiency"]["passes"] == {}
    assert canonical(found) == canonical(score()[0])


def test_what_is_doubtful_about_the_data_stands_among_the_warnings():
    doubtful = dataclasses.replace(RETRAINED, data_warnings=("channels first",))
    assert score(retrained=doubtful)[0]["warnings"] == [*score()[0]["warnings"], "channels first"]


def test_the_forgetting_score_is_the_challenges_and_relative_its_share_of_the_ceiling():
    unlearned = ensemble(1, shift=1.0)
    section = score(unlearned)[0]["challenge"]
    assert section["forgetting_score"] == challenge_score(RETRAINED.forget.confidence, unlearned.forget.confidence)
    assert 0 < section["forgetting_score"] < section["ceiling"]
    assert section["relative"] == section["forgetting_score"] / section["ceiling"]


def test_one_original_repeated_has_a_floor_of_zero_which_is_what_identity_scores():
    identity = ensemble(0, confidence=np.repeat(ORIGINAL.forget.confidence, N, axis=0))
    section = score(identity)[0]["challenge"]
    assert section["floor"] == section["forgetting_score"] == section["final_score"] == 0.0
    assert section["n_peaky"] == EXAMPLES


def test_the_floor_uses_the_originals_in_turn():
    originals = ensemble(4, models=3)
    repeated = repeat_originals(originals, N)
    assert repeated.shape == (N, EXAMPLES)
    assert all(np.array_equal(repeated[i], originals.forget.confidence[i % 3]) for i in range(N))
    floor = score(originals=originals)[0]["challenge"]["floor"]
    assert floor == challenge_score(RETRAINED.forget.confidence, repeated)


def test_the_split_ceiling_comes_from_the_retrained_models_and_the_experiment_seed():
    section = score()[0]["challenge"]
    seed = Streams(3, "ceiling").integer("splits")
    assert section["ceiling_uncorrected"] == split_ceiling(RETRAINED.forget.confidence, seed)
    assert section["ceiling_correction"] == split_correction(RETRAINED.forget.confidence, seed)
    assert section["ceiling"] == section["ceiling_uncorrected"] * section["ceiling_correction"]
    assert section["relative"] == section["forgetting_score"] / section["ceiling"]
    assert section["ceiling_source"] == "split"
    assert score(ensemble(8, shift=5.0))[0]["challenge"]["ceiling"] == section["ceiling"]


def test_the_retrain_ceiling_uses_the_given_models():
    given = ensemble(7, shift=0.5)
    section = score(ceiling=given)[0]["challenge"]
    assert section["ceiling"] == challenge_score(RETRAINED.forget.confidence, given.forget.confidence)
    assert section["ceiling_source"] == "retrain"
    assert section["ceiling_uncorrected"] is None
    assert section["ceiling_correction"] is None


def test_delta_reaches_score_floor_and_ceiling():
    originals, delta = ensemble(4, models=4), 0.3
    section = score(originals=originals, delta=delta)[0]["challenge"]
    repeated = repeat_originals(originals, N)
    assert section["forgetting_score"] == challenge_score(
        RETRAINED.forget.confidence, ensemble(1).forget.confidence, delta
    )
    assert section["floor"] == challenge_score(RETRAINED.forget.confidence, repeated, delta)
    seed = Streams(3, "ceiling").integer("splits")
    assert section["ceiling_uncorrected"] == split_ceiling(RETRAINED.forget.confidence, seed, delta=delta)
    assert section["ceiling_correction"] == split_correction(RETRAINED.forget.confidence, seed, delta)


def test_the_final_score_multiplies_retain_and_test_ratios_and_clipping_stops_them_at_one():
    retrained = ensemble(0, accuracy={"retain": 0.8, "test": 0.5, "forget": 0.4, "validation": 0.1})
    unlearned = ensemble(1, accuracy={"retain": 1.0, "test": 0.4, "forget": 0.6, "validation": 0.9})
    document = score(unlearned, retrained)[0]
    ratios = {name: part["ratio"] for name, part in document["utility"].items()}
    assert ratios == pytest.approx({"retain": 1.25, "test": 0.8, "forget": 1.5})
    section = document["challenge"]
    assert section["final_score"] == pytest.approx(section["forgetting_score"] * 1.25 * 0.8)
    assert section["final_score_clipped"] == pytest.approx(section["forgetting_score"] * 0.8)


def test_retrained_models_that_get_nothing_right_leave_no_final_score():
    retrained = ensemble(0, accuracy={**dict.fromkeys(ACCURACIES, 0.9), "test": 0.0})
    document = score(retrained=retrained)[0]
    assert document["utility"]["test"]["ratio"] is None
    assert document["challenge"]["final_score"] is None
    assert document["challenge"]["final_score_clipped"] is None
    canonical(document)


def test_a_ceiling_of_zero_leaves_no_relative_score():
    far = ensemble(7, shift=500.0)
    section = score(ceiling=far)[0]["challenge"]
    assert section["ceiling"] == 0.0
    assert section["relative"] is None


@pytest.mark.parametrize(
    ("seconds", "verdict", "within"), [(0.8, "within", True), (1.0, "unclear", None), (1.2, "over", False)]
)
def test_efficiency_is_time_a_copy_over_time_a_retrained_model(seconds, verdict, within):
    found = score(ensemble(1, seconds=seconds), ensemble(0, seconds=5.0))[0]["efficiency"]
    assert found["ratio"] == pytest.approx(seconds / 5)
    assert (found["verdict"], found["within_limit"]) == (verdict, within)
    assert found["retraining_measured_on"] == "retrained models"


def differences(document: dict) -> list[str]:
    """Top-level and provenance entries whose change leaves the canonical form."""
    same = []
    for path in [(name,) for name in document] + [("provenance", name) for name in document["provenance"]]:
        changed = copy.deepcopy(document)
        node = changed
        for name in path[:-1]:
            node = node[name]
        node[path[-1]] = {"run": None, "keys": "changed"} if path == ("provenance",) else "changed"
        if canonical(changed) == canonical(document):
            same.append(".".join(path))
    return same


def test_the_canonical_form_drops_exactly_efficiency_and_the_run():
    document = score()[0]
    assert differences(document) == ["efficiency", "provenance.run"]
    kept = json.loads(canonical(document))
    assert set(document) - set(kept) == {"efficiency"}
    assert set(document["provenance"]) - set(kept["provenance"]) == {"run"}


def test_the_canonical_form_ignores_the_order_of_entries_and_the_clock():
    document = score()[0]
    turned = dict(reversed(document.items()))
    assert canonical(turned) == canonical(document)
    assert canonical(score(ensemble(1, seconds=9.0))[0]) == canonical(document)
    assert canonical(score(ensemble(5))[0]) != canonical(document)


def test_a_document_survives_json():
    document = score()[0]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_ordinary_run_has_no_warning():
    assert score()[0]["warnings"] == []


def test_retrained_models_that_spread_little_are_warned_of():
    narrow = ensemble(0, spread=0.3)
    corrected, warning = score(ensemble(1, spread=0.3), narrow)[0]["warnings"]
    assert "ceiling: retrain needs no correction" in corrected
    assert "spread little" in warning
    assert "half-splits may be off" in warning
    (warning,) = score(ensemble(1, spread=0.3), narrow, ceiling=ensemble(5, spread=0.3))[0]["warnings"]
    assert "spread little" in warning
    assert "half-splits" not in warning


def test_an_original_that_was_not_trained_as_the_retrained_models_were_is_warned_of():
    other = {"retain": 0.33, "test": 0.9, "forget": 0.9}
    (warning,) = score(originals=ensemble(2, models=2, accuracy=other))[0]["warnings"]
    assert warning.startswith("the original is right on 33.0% of the retain set, the retrained models on 90.0%")
    for alike in (ensemble(2, models=2, accuracy={**other, "retain": 0.81}), ensemble(2, models=2, accuracy={}), None):
        assert score(originals=alike)[0]["warnings"] == []
    # Retrained models that differ as much from one another say nothing of the original.
    spread = ensemble(0)
    spread.accuracy["retain"][:8] = 0.3
    assert score(retrained=spread, originals=ensemble(2, models=2, accuracy=other))[0]["warnings"] == []


def test_diverged_copies_are_warned_of_and_listed():
    document = score(ensemble(1, diverged=[2, 5]))[0]
    assert document["diverged"] == [2, 5]
    (warning,) = document["warnings"]
    assert "2 of 16 copies diverged" in warning


def test_diverged_originals_and_retrained_models_are_warned_of_in_every_document():
    (warning,) = score(originals=ensemble(2, models=2, diverged=[1]))[0]["warnings"]
    assert warning.startswith("1 of 2 original models diverged and count as wrong everywhere, which distorts the floor")
    found = score(retrained=ensemble(0, diverged=[0, 7, 9]))[0]["warnings"]
    assert found[0].startswith("3 of 16 retrained models diverged and count as wrong everywhere, which distorts every")
    found = score(ceiling=ensemble(3, diverged=[4]))[0]["warnings"]
    assert found[0].startswith("1 of 16 retrained models of the ceiling diverged")


def test_forget_examples_that_are_retained_as_well_are_warned_of():
    retrained = ensemble(0, duplicates=4)
    (warning,) = score(retrained=retrained)[0]["warnings"]
    assert warning.startswith(f"4 of {EXAMPLES} forget examples are in the retain set as well")
    assert score(retrained=ensemble(0, duplicates=0))[0]["warnings"] == []


def test_the_per_example_table_fits_the_document():
    unlearned = ensemble(1, shift=1.0)
    document, samples = score(unlearned)
    assert all(len(column) == EXAMPLES for column in samples.values())
    assert np.mean(samples["points"]) == pytest.approx(document["challenge"]["forgetting_score"])
    assert samples["example"].tolist() == RETRAINED.forget.examples.tolist()
    np.testing.assert_allclose(samples["unlearned_mean"], unlearned.forget.confidence.mean(axis=0))
    np.testing.assert_allclose(samples["retrained_sd"], RETRAINED.forget.confidence.std(axis=0, ddof=1))
    np.testing.assert_allclose(samples["unlearned_accuracy"], (unlearned.forget.confidence > 0).mean(axis=0))
    assert sum(document["challenge"]["points_histogram"].values()) == EXAMPLES


def test_the_document_is_what_its_schema_says_and_the_table_what_its_columns_say():
    document, samples = score()
    ScoreDocument.model_validate_json(json.dumps(document))
    assert list(samples) == [name for name in COLUMNS if name not in ("class", "group", "original")]
    named = dataclasses.replace(ensemble(0, groups=np.arange(EXAMPLES) % 4), classes=["cat", "dog"])
    assert list(score(retrained=named)[1]) == [name for name in COLUMNS if name != "original"]


def test_without_originals_there_is_no_floor():
    document = score(originals=None)[0]
    assert document["challenge"]["floor"] is None
    assert document["originals"] == 0
    assert document["heldout"]["floor"] is None


def test_without_recorded_accuracies_there_is_a_forgetting_but_no_final_score():
    document = score(ensemble(1, accuracy={"forget": 0.5}))[0]
    assert document["challenge"]["forgetting_score"] > 0
    assert document["challenge"]["final_score"] is None
    assert document["challenge"]["interval"]["final_score"] is None
    assert document["challenge"]["interval"]["forgetting_score"] is not None
    assert document["utility"]["retain"] == {"unlearned": None, "retrained": 0.9, "ratio": None}


def test_without_recorded_seconds_nothing_is_said_of_efficiency():
    document = score(dataclasses.replace(ensemble(1), seconds=np.empty(0)))[0]
    assert document["efficiency"]["ratio"] is None
    assert document["efficiency"]["within_limit"] is None


def test_too_few_models_for_an_interval_are_told_why():
    few = ensemble(1, models=12)
    document = score(few, ensemble(0, models=12))[0]
    interval = document["challenge"]["interval"]
    assert "12 models a side" in interval["reason"]
    assert interval["forgetting_score"] is interval["relative"] is None
    assert all(entry["interval"] is None for entry in document["by_models"])


def every_interval(part, place=""):
    """Place -> whatever a document calls an interval, outside the one of the challenge."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return {place: part} if "interval" in place.rpartition(".")[2] else {}
    return {key: value for name, of in part.items() for key, value in every_interval(of, f"{place}.{name}").items()}


def test_few_forget_examples_leave_no_interval_anywhere():
    def of(side, count, **kept):
        return dataclasses.replace(side, roles={**side.roles, "forget": side.forget.of(np.arange(count))}, **kept)

    def scored(count):
        retrained = of(RETRAINED, count, groups=np.zeros(count, dtype=int))
        return score(of(ensemble(1), count), retrained, of(ORIGINAL, count))[0]

    for count in (1, 2, 7):
        found = scored(count)
        interval = found["challenge"]["interval"]
        assert f"{count} forget examples: an interval needs at least 8" in interval["reason"]
        assert {interval[name] for name in ("forgetting_score", "final_score", "relative", "ceiling")} == {None}
        places = every_interval({name: part for name, part in found.items() if name != "challenge"})
        assert {".by_models.0.interval", ".strata.group.0.interval", ".heldout.epsilon_median_interval"} <= set(places)
        assert set(places.values()) == {None}
    found = scored(8)
    assert found["challenge"]["interval"]["reason"] is None
    assert found["by_models"][-1]["interval"] is not None
    assert found["strata"]["group"]["0"]["interval"] is not None
    assert found["heldout"]["epsilon_median_interval"] is not None


@pytest.mark.parametrize("models", [4, 5])
def test_halves_without_a_bucket_are_no_ceiling(models):
    sides = [ensemble(seed, models=models) for seed in (1, 0, 5)]
    found = score(*sides[:2])[0]
    assert found["challenge"]["ceiling"] is found["challenge"]["relative"] is None
    assert any("no ceiling: halves of" in warning for warning in found["warnings"])
    assert score(*sides[:2], ceiling=sides[2])[0]["challenge"]["ceiling"] is not None
    assert score(ensemble(1, models=6), ensemble(0, models=6))[0]["challenge"]["ceiling"] > 0


def test_retrained_models_that_are_one_are_named():
    confidence = RETRAINED.forget.confidence.copy()
    confidence[[3, 9]] = confidence[0]
    test = RETRAINED.roles["test"].confidence.copy()
    test[[3, 9]] = test[0]
    repeated = dataclasses.replace(
        RETRAINED,
        roles={
            "forget": dataclasses.replace(RETRAINED.forget, confidence=confidence),
            "test": dataclasses.replace(RETRAINED.roles["test"], confidence=test),
        },
    )
    (warning,) = score(retrained=repeated)[0]["warnings"]
    assert "only 14 are separate models, the others have equal or nearly equal outputs (models 0, 3, 9)" in warning
    (warning,) = score(ceiling=repeated)[0]["warnings"]
    assert warning.startswith("of the 16 retrained models of the ceiling only 14")
    # A deterministic method makes equal copies.
    assert score(repeated, retrained=ensemble(7))[0]["warnings"] == []


def test_accuracies_that_are_there_in_part_and_doubts_are_warned_of():
    found = score(ensemble(1, accuracy={"retain": 0.9}))[0]
    assert found["warnings"] == ["no final score: there is no test_accuracy of the unlearned models"]
    assert score(ensemble(1, accuracy={}), ensemble(0, accuracy={}))[0]["warnings"] == []
    found = score(ensemble(1, doubts=["confidence: odd"]))[0]
    assert found["warnings"] == ["outputs of the unlearned models: confidence: odd"]


def test_given_weights_and_a_doubtful_choice_are_warned_of():
    tuned = {"warnings": ["the lr that was chosen, 1.0, is the largest of the grid"]}
    said = settings_warnings({"model": {"weights": "/home/me/net.pth"}, "tuned": tuned})
    assert "every model starts from the weights net.pth" in said[0]
    assert said[1] == "tuning: the lr that was chosen, 1.0, is the largest of the grid"
    assert settings_warnings({"model": {"weights": None}, "tuned": None}) == []
