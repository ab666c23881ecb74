"""Replicates of a score, subsets of its models, strata of its examples."""

import dataclasses

import numpy as np
import pytest
from drawn import ORIGINAL, RETRAINED, ensemble, score

from unlearning_metric.metrics.challenge import challenge, challenge_score
from unlearning_metric.metrics.intervals import difference_interval
from unlearning_metric.metrics.replicates import deletions
from unlearning_metric.scoring.intervals import (
    SortedSides,
    accuracy_factor,
    read_replicates,
    score_replicates,
    strata,
    write_replicates,
)

UNLEARNED = ensemble(1, shift=0.7)


def found(unlearned=UNLEARNED, retrained=RETRAINED, ceiling=None):
    points = challenge(retrained.forget.saturated, unlearned.forget.saturated).points
    sides = SortedSides.of(retrained, unlearned, ceiling)
    return score_replicates(retrained, unlearned, sides, points, 5, 6, 1e-5)


def test_each_replicate_is_the_score_of_the_models_that_are_left():
    kept, _ = deletions(len(RETRAINED), 5)
    scores = found().forgetting.deleted.mean(axis=2)
    for partition, line in ((0, 0), (1, 7), (0, 19)):
        rest = kept[partition, line]
        expected = challenge_score(RETRAINED.forget.confidence[rest], UNLEARNED.forget.confidence[rest])
        assert scores[partition, line] == pytest.approx(expected)
    assert found().forgetting.score == challenge_score(RETRAINED.forget.confidence, UNLEARNED.forget.confidence)


def test_the_final_scores_replicates_carry_the_accuracies_of_the_models_that_are_left():
    rates = np.linspace(0.5, 1, 16)
    unlearned = dataclasses.replace(UNLEARNED, accuracy={"retain": rates, "test": rates**2})
    replicates = found(unlearned)
    kept, _ = deletions(16, 5)
    factor = rates[kept[1, 3]].mean() / 0.9 * (rates[kept[1, 3]] ** 2).mean() / 0.9
    np.testing.assert_allclose(replicates.final.deleted[1, 3], replicates.forgetting.deleted[1, 3] * factor)
    assert replicates.final.score == pytest.approx(replicates.forgetting.score * accuracy_factor(RETRAINED, unlearned))


@pytest.mark.parametrize("accuracy", [{"retain": 0.9}, {"retain": 0.9, "test": 0.0}])
def test_without_both_accuracies_there_is_no_final_score_to_replicate(accuracy):
    retrained = ensemble(0, accuracy={**accuracy})
    assert found(retrained=retrained).final is None


def test_below_sixteen_models_there_are_none():
    assert found(ensemble(1, models=15), ensemble(0, models=15)) is None


def test_a_second_set_is_a_ceiling_scored_like_a_method():
    second = ensemble(9)
    replicates = found(ceiling=second)
    assert not replicates.from_splits
    assert replicates.ceiling.score == challenge_score(RETRAINED.forget.confidence, second.forget.confidence)


def test_two_methods_written_and_read_are_still_paired(tmp_path):
    one, two = found(), found(ensemble(2, shift=0.7))
    for name, replicates in (("one", one), ("two", two)):
        write_replicates(tmp_path / f"{name}.npz", replicates, {"key": "k"})
    again = [read_replicates(tmp_path / f"{name}.npz", "k") for name in ("one", "two")]
    assert difference_interval(*again) == difference_interval(one.final, two.final)
    write_replicates(tmp_path / "none.npz", None, {"key": "k"})
    assert read_replicates(tmp_path / "none.npz", "k") is None


def test_subsets_are_an_eighth_a_quarter_and_a_half_of_the_models_and_all():
    unlearned, retrained = ensemble(1, models=64, shift=1.0), ensemble(0, models=64)
    document = score(unlearned, retrained)[0]
    entries = document["by_models"]
    assert [entry["models"] for entry in entries] == [8, 16, 32, 64]
    assert [entry["subsets"] for entry in entries] == [8, 8, 8, 1]
    assert entries[-1]["forgetting_score"] == document["challenge"]["forgetting_score"]
    assert entries[-1]["interval"] == document["challenge"]["interval"]["forgetting_score"]["models"]
    for entry in entries:
        low, high = entry["interval"]
        assert low < entry["forgetting_score"] < high
    # More models tell a shifted method better, which is why scores at different numbers are never ranked together.
    assert entries[0]["forgetting_score"] > entries[-1]["forgetting_score"]


def test_subsets_too_small_for_buckets_are_left_out():
    assert [entry["models"] for entry in score()[0]["by_models"]] == [4, 8, 16]


def test_strata_are_means_over_their_examples_and_together_give_the_score():
    groups = np.arange(30) % 3
    grouped = dataclasses.replace(RETRAINED, groups=groups)
    document, samples = score(UNLEARNED, grouped)
    points = samples["points"]
    for name, chosen in (("label", samples["label"]), ("group", groups)):
        parts = document["strata"][name]
        assert set(parts) == {str(value) for value in np.unique(chosen)}
        for value, part in parts.items():
            mine = points[chosen == int(value)]
            assert (part["examples"], part["forgetting_score"]) == (len(mine), pytest.approx(mine.mean()))
    parts = document["strata"]["difficulty"].values()
    whole = sum(part["examples"] * part["forgetting_score"] for part in parts) / 30
    assert whole == pytest.approx(document["challenge"]["forgetting_score"])


def test_strata_and_examples_go_by_the_names_of_the_classes():
    named = dataclasses.replace(RETRAINED, classes=tuple(map(str, sorted(range(1, 21), key=str))))
    document, samples = score(UNLEARNED, named)
    names = [named.classes[label] for label in samples["label"]]
    assert samples["class"].tolist() == names
    assert set(document["strata"]["label"]) == set(names)
    for name, part in document["strata"]["label"].items():
        assert part["examples"] == names.count(name)


def test_difficulty_is_thirds_by_the_retrained_models_median_loss():
    order = np.argsort(np.median(RETRAINED.forget.loss, axis=0))
    points = np.zeros(30)
    points[order[20:]] = 1.0
    parts = strata(RETRAINED, points, None)["difficulty"]
    assert {name: part["forgetting_score"] for name, part in parts.items()} == {"easy": 0, "medium": 0, "hard": 1}
    assert [part["examples"] for part in parts.values()] == [10, 10, 10]


def test_a_stratum_of_few_examples_has_no_interval():
    document = score(UNLEARNED)[0]
    assert all(part["interval"] is None for part in document["strata"]["label"].values())
    assert all(part["interval"] is not None for part in document["strata"]["difficulty"].values())
    assert document["strata"]["group"] is None
    assert document["originals"] == len(ORIGINAL)
