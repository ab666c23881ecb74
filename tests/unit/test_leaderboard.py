"""The leaderboard: order, and what may stand in one table."""

import pandas as pd
import pytest

from unlearning_metric.leaderboard import leaderboard, markdown, write_leaderboard
from unlearning_metric.store import StoreError, read_document, write_document


def document(method: str, final: float | None, copies: int = 64, retrained: str = "r") -> dict:
    challenge = dict.fromkeys(("forgetting_score", "floor", "ceiling", "relative"), 0.125)
    challenge |= {"final_score": final, "final_score_clipped": final, "n_infinite": 1, "n_peaky": 2, "n_undefined": 0}
    ratio = None if final is None else 0.75
    return {
        "method": method,
        "copies": copies,
        "originals": 1,
        "dataset": "digits",
        "model": "mlp",
        "forget": {"strategy": "random", "size": 72},
        "challenge": challenge,
        "utility": {name: {"ratio": ratio} for name in ("retain", "test", "forget")},
        "efficiency": {"ratio": 0.3, "within_limit": method != "slow"},
        "diverged": [4, 5],
        "provenance": {"key": method, "origin": None, "keys": {"retrained": retrained}, "run": {}},
    }


DOCUMENTS = [document("low", 0.01), document("none", None), document("slow", 0.2), document("mid", 1 / 30)]


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
    text = markdown(table, DOCUMENTS)
    assert [line.split("|")[1].strip() for line in text.splitlines() if "| slow" in line] == ["-"]
    assert [line.split("|")[1].strip() for line in text.splitlines() if "| low" in line] == ["2"]
    assert "excluded" in text


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


def test_scores_at_another_number_of_models_are_refused_with_both_numbers():
    with pytest.raises(StoreError, match=r"one: N = 64; two: N = 32"):
        leaderboard([document("one", 0.1), document("two", 0.2, copies=32)])


def test_scores_against_other_retrained_models_are_refused():
    with pytest.raises(StoreError, match="do not belong together"):
        leaderboard([document("one", 0.1), document("two", 0.2, retrained="q")])


def test_markdown_says_what_was_run_and_holds_every_method_in_order():
    text = markdown(leaderboard(DOCUMENTS), DOCUMENTS)
    head, _, *lines = text.strip().splitlines()
    for part in ("digits", "mlp", "N = 64", "72 forget examples", "1 original."):
        assert part in head
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:3] for row in cells[2:]] == [
        ["1", "slow", "0.2000"], ["2", "mid", "0.0333"], ["3", "low", "0.0100"], ["4", "none", "-"],
    ]  # fmt: skip
    within = cells[0].index("within limit")
    assert [row[within] for row in cells[2:]] == ["NO", "yes", "yes", "yes"]
    assert len({len(line) for line in lines}) == 1


def test_the_csv_keeps_every_digit(tmp_path):
    paths = {entry["method"]: tmp_path / f"{entry['method']}.json" for entry in DOCUMENTS}
    for entry in DOCUMENTS:
        write_document(paths[entry["method"]], entry)
    keys = {entry["method"]: entry["provenance"].get("key") for entry in DOCUMENTS}
    write_leaderboard(tmp_path, paths, keys, {"key": "k", "origin": None})
    table = pd.read_csv(tmp_path / "leaderboard.csv").set_index("method")
    assert table.loc["mid", "final_score"] == 1 / 30
    assert pd.isna(table.loc["none", "final_score"])
    assert (tmp_path / "leaderboard.md").read_text() == markdown(leaderboard(DOCUMENTS), DOCUMENTS)


def test_nothing_to_rank_is_said_so():
    with pytest.raises(StoreError, match="no method to rank"):
        leaderboard([])


def test_methods_without_a_score_stand_at_the_end_with_their_reason(tmp_path):
    path = tmp_path / "mid.json"
    write_document(path, document("mid", 0.1))
    unscored = {"bad": ("failed", "copy 3: out of luck"), "late": ("unfinished", "did not finish")}
    with pytest.raises(StoreError, match="this run needs another"):
        write_leaderboard(tmp_path, {"mid": path}, {"mid": "another"}, {"key": "k", "origin": None}, unscored)
    keys = {"mid": read_document(path)["provenance"].get("key")}
    write_leaderboard(tmp_path, {"mid": path}, keys, {"key": "k", "origin": None}, unscored)
    table = pd.read_csv(tmp_path / "leaderboard.csv")
    assert table["method"].tolist() == ["mid", "bad", "late"]
    assert table["status"].tolist() == ["scored", "failed", "unfinished"]
    assert table["rank"].tolist()[0] == 1
    assert table["rank"].isna().tolist() == [False, True, True]
    text = (tmp_path / "leaderboard.md").read_text()
    assert "- bad: copy 3: out of luck" in text
    assert "nan" not in text
    rows = read_document(tmp_path / "leaderboard.json")["rows"]
    assert [row["final_score"] for row in rows] == [pytest.approx(0.1), None, None]
