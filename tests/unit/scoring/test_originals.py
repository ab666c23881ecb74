"""Scores from each of several originals: their mean, the spread between them, and what the intervals rest on."""

import dataclasses

import numpy as np
import pytest
from drawn import EXAMPLES, N, ensemble, whole_score

from unlearning_metric.leaderboard.board import leaderboard
from unlearning_metric.leaderboard.pairs import compare_pairs
from unlearning_metric.metrics.intervals import another_original_interval, difference_interval, score_interval
from unlearning_metric.metrics.replicates import Replicates, mean_replicates
from unlearning_metric.scoring.intervals import read_replicates, write_replicates
from unlearning_metric.scoring.originals import over_originals
from unlearning_metric.scoring.schema import ScoreDocument
from unlearning_metric.store.files import StoreError

ORIGINALS = ensemble(9, models=3)
SIDES = [ensemble(20 + k, shift=0.3 * k, diverged=[k] if k else (), seconds=1.0 + k) for k in range(3)]
EACH = [whole_score(side, originals=ORIGINALS.of_model(k)) for k, side in enumerate(SIDES)]
FOUND = over_originals(EACH)


def moving(score, spread, seed):
    """Replicates of a mean of ten examples that moves by ``spread``."""
    moves = np.random.default_rng(seed).normal(0, spread, (2, 20, 1))
    return Replicates(np.full(10, score), np.repeat(score + moves, 10, axis=2), 3.0)


def test_the_document_has_the_score_from_each_original_their_mean_and_their_spread():
    values = [score.document["challenge"]["forgetting_score"] for score in EACH]
    section = FOUND.document["by_original"]["forgetting_score"]
    assert section["each"] == values
    assert section["mean"] == FOUND.document["challenge"]["forgetting_score"] == pytest.approx(np.mean(values))
    assert section["sd"] == pytest.approx(np.std(values, ddof=1))
    for low, high in (section["interval_of_mean"], section["interval_of_another"]):
        assert low < section["mean"] < high
    assert section["interval_of_another"][1] >= section["interval_of_mean"][1]
    finals = [score.document["challenge"]["final_score"] for score in EACH]
    assert FOUND.document["challenge"]["final_score"] == pytest.approx(np.mean(finals))
    assert (FOUND.document["originals"], FOUND.document["originals_mode"]) == (3, "each")
    ScoreDocument.model_validate(FOUND.document)


def test_two_originals_do_not_say_how_far_another_is():
    for name in ("forgetting_score", "final_score"):
        section = over_originals(EACH[:2]).document["by_original"][name]
        assert section["interval_of_another"] is None
        assert section["interval_of_mean"][0] < section["mean"] < section["interval_of_mean"][1]


def test_every_other_number_is_the_mean_over_the_originals_and_counts_add_up():
    documents = [score.document for score in EACH]
    for read in (
        lambda d: d["klom"]["forget"]["method"]["mean"],
        lambda d: d["strata"]["difficulty"]["hard"]["forgetting_score"],
        lambda d: d["by_models"][0]["forgetting_score"],
        lambda d: d["challenge"]["relative"],
    ):
        assert read(FOUND.document) == pytest.approx(np.mean([read(document) for document in documents]))
    assert sum(FOUND.document["challenge"]["points_histogram"].values()) == 3 * EXAMPLES
    assert FOUND.document["challenge"]["ceiling"] == documents[0]["challenge"]["ceiling"]
    assert FOUND.document["diverged"] == [N + 1, 2 * N + 2]
    assert (
        "copies from originals 1, 2: 1 of 16 copies diverged and count as wrong everywhere"
        in FOUND.document["warnings"]
    )


def test_the_table_has_every_example_for_each_original_and_its_mean_is_the_score():
    assert np.array_equal(FOUND.samples["original"], np.repeat([0, 1, 2], EXAMPLES))
    assert FOUND.samples["points"].mean() == pytest.approx(FOUND.document["challenge"]["forgetting_score"])
    assert list(FOUND.samples)[:2] == ["example", "original"]


def test_the_interval_of_the_challenge_holds_the_choice_of_the_originals():
    interval = FOUND.document["challenge"]["interval"]["forgetting_score"]["models"]
    assert interval == FOUND.document["by_original"]["forgetting_score"]["interval_of_mean"]
    fixed = dataclasses.replace(FOUND.replicates.forgetting, each=np.empty(0))
    low, high = score_interval(fixed)
    assert interval[0] <= low < high <= interval[1]


def test_scores_that_differ_much_between_originals_have_wide_intervals():
    alike, apart = (
        mean_replicates([moving(score, 0.005, k) for k, score in enumerate(scores)])
        for scores in ((0.1, 0.101, 0.099), (0.1, 0.15, 0.05))
    )
    widths = [
        np.diff(interval(one))[0] for one in (alike, apart) for interval in (score_interval, another_original_interval)
    ]
    assert widths[0] < widths[1] < widths[2] < widths[3]
    with pytest.raises(ValueError, match="one original"):
        another_original_interval(moving(0.1, 0.005, 0))


def test_methods_are_compared_from_the_same_originals():
    # Both move by much with the original, and by the same: the difference stays.
    scores = (0.1, 0.2, 0.3)
    first, second = (mean_replicates([moving(s + d, 0.001, k) for k, s in enumerate(scores)]) for d in (0.0, 0.02))
    difference, low, high = difference_interval(second, first)
    assert low < difference < high
    assert compare_pairs(["b", "a"], {"a": first, "b": second})[0].told_apart
    other = mean_replicates([moving(s, 0.001, k) for k, s in enumerate((0.3, 0.2, 0.16))])
    assert not compare_pairs(["b", "a"], {"a": first, "b": other})[0].told_apart
    with pytest.raises(ValueError, match="from 3 and 2 originals"):
        difference_interval(first, mean_replicates([moving(0.1, 0.001, 0)] * 2))


def test_the_scores_from_each_original_are_stored_with_the_replicates(tmp_path):
    write_replicates(tmp_path / "r.npz", FOUND.replicates, {"key": "k"})
    assert np.array_equal(read_replicates(tmp_path / "r.npz").each, FOUND.replicates.final.each)
    write_replicates(tmp_path / "one.npz", EACH[0].replicates, {"key": "k"})
    assert len(read_replicates(tmp_path / "one.npz").each) == 0


def test_a_leaderboard_does_not_mix_numbers_of_originals_nor_modes():
    one = {**EACH[0].document, "method": "one"}
    with pytest.raises(StoreError, match="one: 1 original; mine: 3 originals"):
        leaderboard([one, FOUND.document])
    mixed = {**EACH[0].document, "method": "mixed", "originals": 3, "originals_mode": "mixture"}
    with pytest.raises(StoreError, match="mixed: 3 originals, mixed; mine: 3 originals"):
        leaderboard([mixed, FOUND.document])
    assert len(leaderboard([FOUND.document, {**FOUND.document, "method": "other"}])) == 2
