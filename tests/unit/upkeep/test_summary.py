"""What a run shows at its end: only what the plan knows."""

import pytest

from unlearning_metric.store.files import write_document, write_text
from unlearning_metric.upkeep.summary import summary

CHALLENGE = {"forgetting_score": 0.125, "floor": 0.0, "ceiling": 0.18}


def score(folder, origin, **values):
    document = {"method": "mine", "challenge": CHALLENGE | values, "provenance": {**origin.header(), "run": {}}}
    write_document(folder / "score_mine.json", document)


@pytest.fixture
def results(make_plan, tmp_path):
    score(tmp_path / "results", make_plan().score_origin("mine"))
    return tmp_path / "results"


def board(results, **scores):
    write_document(results / "leaderboard.json", {"scores": scores, "provenance": {"key": "k", "run": {}}})
    write_text(results / "leaderboard.md", "\n".join(f"line {i}" for i in range(20)))


def test_nothing_is_shown_of_an_empty_folder(make_plan, tmp_path):
    assert summary(make_plan(), tmp_path / "results") == ""


def test_a_score_that_the_leaderboard_does_not_hold_and_the_first_lines_of_it(make_plan, results):
    board(results, mine="another key")
    text = summary(make_plan(), results, lines=5)
    assert "score_mine.json: forgetting score 0.1250 (floor 0.0000, ceiling 0.1800)" in text
    assert "Not in the leaderboard yet" in text
    assert "line 4" in text
    assert "line 5" not in text
    assert "... and 15 more lines" in text


def test_after_a_check_alone_no_scores_are_shown(make_plan, results):
    board(results, mine="another key")
    check = f"{results}/check_mine.json"
    assert summary(make_plan(), results, [check]) == f"{check} has all that the check found."
    assert "line 4" in summary(make_plan(), results, [check, f"{results}/leaderboard.json"])


def test_a_score_of_few_models_has_no_ceiling(make_plan, results):
    score(results, make_plan().score_origin("mine"), ceiling=None)
    assert "forgetting score 0.1250 (floor 0.0000, ceiling none)" in summary(make_plan(), results)


def test_a_score_that_the_leaderboard_holds_is_not_shown(make_plan, results):
    board(results, mine=make_plan().score_origin("mine").key)
    assert "score_mine" not in summary(make_plan(), results)


def test_a_score_of_another_configuration_is_not_announced(make_plan, results):
    assert summary(make_plan(delta=0.001), results) == ""


def test_a_method_under_skip_is_said_to_be_left_out(make_plan, results):
    text = summary(make_plan(skip=["mine"]), results)
    assert "under skip" in text
    assert "run `snakemake`" not in text


@pytest.mark.parametrize("content", ["{}", "[]", "not JSON"])
def test_files_outside_the_plan_are_not_read(make_plan, results, content):
    before = summary(make_plan(), results)
    for name in ("score_notes.json", "score_removed.json"):
        (results / name).write_text(content)
    assert summary(make_plan(), results) == before


@pytest.mark.parametrize("content", ["{}", "[]", "not JSON"])
def test_a_leaderboard_that_is_none_holds_nothing(make_plan, results, content):
    (results / "leaderboard.json").write_text(content)
    assert "score_mine.json: forgetting score" in summary(make_plan(), results)
