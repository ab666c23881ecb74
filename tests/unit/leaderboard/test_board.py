"""The leaderboard: order, ties, and what may stand in one table."""

import json

import numpy as np
import pandas as pd
import pytest
from drawn import ensemble, score

from unlearning_metric.leaderboard.board import compared, leaderboard, write_leaderboard
from unlearning_metric.metrics.intervals import difference_interval
from unlearning_metric.metrics.replicates import Replicates
from unlearning_metric.store.files import StoreError, read_document, write_document, write_npz

WHOLE = score(ensemble(1))[0]


def document(method: str, final: float | None, copies: int = 64, retrained: str = "r") -> dict:
    found = json.loads(json.dumps(WHOLE))
    ratio = None if final is None else 0.75
    found["challenge"] |= {"final_score": final, "n_infinite": 1, "n_peaky": 2}
    for name in ("retain", "test", "forget"):
        found["utility"][name]["ratio"] = ratio
    if final is None:
        found["challenge"]["interval"]["final_score"] = None
    return {
        **found,
        "method": method,
        "copies": copies,
        "efficiency": {"ratio": 0.3, "within_limit": method != "slow"},
        "diverged": [4, 5],
        "provenance": {
            "key": method,
            "origin": None,
            "keys": {"retrained": retrained},
            "run": {},
            "configuration": {"copies": copies, "options": {"lr": 0.5}},
        },
    }


DOCUMENTS = [document("low", 0.01), document("none", None), document("slow", 0.2), document("mid", 1 / 30)]


def replicates(score, spread, seed):
    """Replicates of a mean of ten examples that moves by ``spread``."""
    moves = np.random.default_rng(seed).normal(0, spread, (2, 20, 1))
    return Replicates(np.full(10, score), np.repeat(score + moves, 10, axis=2), 3.0)


def write_all(folder, documents, paired=None):
    """Both files of each document; arguments of `write_leaderboard`."""
    scores, files = {}, {}
    for entry in documents:
        name = entry["method"]
        scores[name], files[name] = folder / f"score_{name}.json", folder / f"replicates_{name}.npz"
        write_document(scores[name], entry)
        one = (paired or {}).get(name)
        arrays = {} if one is None else {part: np.asarray(value) for part, value in vars(one).items()}
        write_npz(files[name], arrays, {"key": name})
    return scores, files, {name: name for name in scores}


def test_methods_are_ranked_by_final_score_and_those_without_come_last():
    table = leaderboard(DOCUMENTS)
    assert table["method"].tolist() == ["slow", "mid", "low", "none"]
    assert table["rank"].tolist() == [1, 2, 3, 4]


def test_methods_over_the_time_limit_are_shown_without_a_rank_where_they_are_excluded():
    table = leaderboard(DOCUMENTS, {"astray": "failed"}, exclude_slow=True)
    assert table["method"].tolist() == ["mid", "low", "none", "slow", "astray"]
    assert table["rank"].tolist()[:4] == [1, 2, 3, None]
    assert table["status"].tolist() == ["scored", "scored", "scored", "excluded", "failed"]
    assert table["final_score"].tolist()[3] == 0.2


def test_a_method_whose_time_nobody_measured_is_not_excluded():
    unmeasured = {**DOCUMENTS[0], "efficiency": {"ratio": None, "within_limit": None}}
    assert leaderboard([unmeasured, DOCUMENTS[2]], exclude_slow=True)["rank"].tolist() == [1, None]


def test_an_unclear_verdict_is_shown_and_costs_no_rank(tmp_path):
    costs = {"ratio": 0.21, "passes_ratio": 0.125, "verdict": "unclear", "within_limit": None}
    documents = [{**DOCUMENTS[3], "efficiency": costs}, DOCUMENTS[2]]
    found = {"key": "k", "origin": {}}
    write_leaderboard(tmp_path, *write_all(tmp_path, documents), found, exclude_slow=True)
    rows = {row["method"]: row for row in read_document(tmp_path / "leaderboard.json")["rows"]}
    assert (rows["mid"]["rank"], rows["mid"]["verdict"], rows["slow"]["rank"]) == (1, "unclear", None)
    line = next(line for line in (tmp_path / "leaderboard.md").read_text().splitlines() if "| mid" in line)
    assert [cell.strip() for cell in line.split("|")][11:14] == ["0.2100", "0.1250", "unclear"]
    assert "near the time limit" in (tmp_path / "leaderboard.html").read_text()


def test_an_excluded_method_is_compared_with_none():
    paired = {name: replicates(0.1, 0.01, 0) for name in ("slow", "mid", "low")}
    table = leaderboard(DOCUMENTS, None, paired, exclude_slow=True).set_index("method")
    assert table.loc["mid", "tie"]
    assert pd.isna(table.loc[["low", "slow"], "tie"]).all()


def test_without_slow_methods_nothing_is_excluded():
    documents = [one for one in DOCUMENTS if one["method"] != "slow"]
    assert leaderboard(documents, exclude_slow=True)["rank"].tolist() == [1, 2, 3]


def test_equal_scores_are_ordered_by_name_whatever_the_order_given():
    tied = [document(name, 0.1) for name in ("b", "c", "a")]
    assert leaderboard(tied)["method"].tolist() == ["a", "b", "c"]
    assert leaderboard([document(name, None) for name in ("b", "a")])["method"].tolist() == ["a", "b"]


def test_numbers_of_each_row_are_its_own():
    row = leaderboard(DOCUMENTS).set_index("method").loc["slow"]
    assert (row["final_score"], row["time_ratio"], row["diverged"], row["peaky"]) == (0.2, 0.3, 2, 2)
    assert not row["within_limit"]
    low, high = WHOLE["challenge"]["interval"]["relative"]["models"]
    assert (row["relative_low"], row["relative_high"]) == (low, high)


def test_the_difference_to_the_next_method_is_that_of_the_pair():
    paired = {"slow": replicates(0.5, 0.01, 0), "mid": replicates(0.498, 0.01, 1), "low": replicates(0.2, 0.01, 2)}
    table = leaderboard(DOCUMENTS, None, paired).set_index("method")
    assert table["tie"].tolist()[:2] == [True, False]
    difference, low, high = difference_interval(paired["mid"], paired["low"])
    assert table.loc["mid", ["difference_to_next", "difference_low"]].tolist() == [difference, low]
    assert 0 < low < high
    assert table[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 3], [1, 3], [3, 4], [1, 4]]


def test_without_replicates_no_method_has_a_range_of_ranks():
    board = compared(DOCUMENTS, None, {"mid": None})
    assert board.pairs == []
    assert board.table["rank_low"].isna().all()


def test_scores_at_another_number_of_models_are_refused_with_both_numbers():
    with pytest.raises(StoreError, match=r"one: N = 64; two: N = 32"):
        leaderboard([document("one", 0.1), document("two", 0.2, copies=32)])


def test_scores_against_other_retrained_models_are_refused():
    with pytest.raises(StoreError, match="do not belong together"):
        leaderboard([document("one", 0.1), document("two", 0.2, retrained="q")])


def test_the_csv_keeps_every_digit(tmp_path):
    scores, files, keys = write_all(tmp_path, DOCUMENTS)
    write_leaderboard(tmp_path, scores, files, keys, {"key": "k", "origin": None})
    table = pd.read_csv(tmp_path / "leaderboard.csv", float_precision="round_trip").set_index("method")
    assert table.loc["mid", "final_score"] == 1 / 30
    assert pd.isna(table.loc["none", "final_score"])


def test_the_files_show_ranges_of_ranks_and_every_pair(tmp_path):
    paired = {"slow": replicates(0.2, 0.01, 0), "mid": replicates(0.199, 0.01, 1), "low": replicates(0.01, 0.001, 2)}
    documents = [one for one in DOCUMENTS if one["method"] != "none"]
    scores, files, keys = write_all(tmp_path, documents, paired)
    write_leaderboard(tmp_path, scores, files, keys, {"key": "k", "origin": None})
    board = read_document(tmp_path / "leaderboard.json")
    assert [row["tie"] for row in board["rows"]] == [True, False, None]
    assert [(pair["first"], pair["second"], pair["told_apart"]) for pair in board["pairs"]] == [
        ("slow", "mid", False), ("slow", "low", True), ("mid", "low", True),
    ]  # fmt: skip
    lines = (tmp_path / "leaderboard.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines if "scored" in line] == ["1-2", "1-2", "3"]
    assert '<td data-key="2">1-2</td>' in (tmp_path / "leaderboard.html").read_text()
    assert "1--2 & mid &" in (tmp_path / "leaderboard.tex").read_text()


def test_replicates_of_another_run_are_refused(tmp_path):
    scores, files, keys = write_all(tmp_path, DOCUMENTS)
    write_npz(files["mid"], {}, {"key": "other"})
    with pytest.raises(StoreError, match=r"replicates_mid.npz.*its key is other"):
        write_leaderboard(tmp_path, scores, files, keys, {"key": "k", "origin": None})


def test_nothing_to_rank_is_said_so():
    with pytest.raises(StoreError, match="no method to rank"):
        leaderboard([])


def test_methods_without_a_score_stand_at_the_end_with_their_reason(tmp_path):
    scores, files, keys = write_all(tmp_path, [document("mid", 0.1)])
    unscored = {"bad": ("failed", "copy 3: out of luck"), "late": ("unfinished", "did not finish")}
    with pytest.raises(StoreError, match="this run needs another"):
        write_leaderboard(tmp_path, scores, files, {"mid": "another"}, {"key": "k", "origin": None}, unscored)
    write_leaderboard(tmp_path, scores, files, keys, {"key": "k", "origin": None}, unscored)
    table = pd.read_csv(tmp_path / "leaderboard.csv")
    assert table["method"].tolist() == ["mid", "bad", "late"]
    assert table["status"].tolist() == ["scored", "failed", "unfinished"]
    assert table["rank"].tolist()[0] == 1
    assert table["rank"].isna().tolist() == [False, True, True]
    text = (tmp_path / "leaderboard.md").read_text()
    assert "- bad: copy 3: out of luck" in text
    assert "nan" not in text.lower().replace("nance", "")
    rows = read_document(tmp_path / "leaderboard.json")["rows"]
    assert [row["final_score"] for row in rows] == [pytest.approx(0.1), None, None]


def test_where_every_method_is_over_the_limit_none_has_a_rank(tmp_path):
    slow = [dict(entry, efficiency={"ratio": 0.3, "within_limit": False}) for entry in DOCUMENTS]
    table = leaderboard(slow, exclude_slow=True)
    assert table["rank"].isna().all()
    assert set(table["status"]) == {"excluded"}
    write_leaderboard(tmp_path, *write_all(tmp_path, slow), {"key": "k", "origin": {}}, exclude_slow=True)
    assert "excluded" in (tmp_path / "leaderboard.md").read_text()


def test_warnings_stand_on_every_form_of_the_leaderboard(tmp_path):
    warned = [dict(entry, warnings=["models 1, 2 <equal>"]) for entry in DOCUMENTS]
    write_leaderboard(tmp_path, *write_all(tmp_path, warned), {"key": "k", "origin": {}})
    texts = {end: (tmp_path / f"leaderboard.{end}").read_text() for end in ("md", "html", "tex")}
    assert "<li>Warning: models 1, 2 &lt;equal&gt;.</li>" in texts["html"]
    assert "% Warning: models 1, 2 <equal>." in texts["tex"]
    assert "- Warning: models 1, 2" in texts["md"]
