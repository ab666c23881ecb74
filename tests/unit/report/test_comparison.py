"""Several boards on one page, and the command that writes it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from drawn import ensemble, whole_score
from found import NASTY, findings

from unlearning_metric.__main__ import main
from unlearning_metric.jobs.score_elsewhere import score_elsewhere
from unlearning_metric.leaderboard.board import write_leaderboard
from unlearning_metric.report.comparison import answer, board_html, differences
from unlearning_metric.report.page import comparison_html
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.originals import over_originals
from unlearning_metric.store.files import write_document, write_parquet
from unlearning_metric.upkeep.sweep import Sweep, write_comparison

NAMES = ("one", "two", "three")


def changed(found, **settings):
    """The same findings of another configuration."""
    methods = []
    for method in found.methods:
        provenance = method.document["provenance"]
        provenance = {**provenance, "configuration": {**provenance["configuration"], **settings}}
        methods.append(replace(method, document={**method.document, "provenance": provenance}))
    return replace(found, methods=methods)


@pytest.fixture(scope="module")
def boards():
    return {"first": findings(NAMES), NASTY: changed(findings(NAMES[:2], models=24), experiment_seed=7)}


def data_of(page):
    return json.loads(re.search(r'id="findings">(.*?)</script>', page, flags=re.S)[1])


def test_the_page_has_the_parts_of_a_report_once_for_each_board(boards):
    page = comparison_html(boards, {})
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for section in ("board", "ask", "examples", "compare", "utility", "models", "badly", "metrics", "numbers", "run"):
        assert section in ids
    assert NASTY not in page
    data = data_of(page)
    assert [board["name"] for board in data["boards"]] == list(boards)
    assert [board["copies"] for board in data["boards"]] == [16, 24]
    assert [(method["name"], method["board"]) for method in data["methods"]] == [
        (method.name, place) for place, found in enumerate(boards.values()) for method in found.methods
    ]
    for place, method in enumerate(data["methods"]):
        assert f'id="array-epsilons-{place}"' in page
        assert method["label"] == f"{method['name']} · {list(boards)[method['board']]}"


def test_methods_stand_beside_each_other_with_their_difference(boards):
    table = str(board_html(boards))
    assert table.count("<tr>") == 1 + 3
    rows = re.findall(r'<th scope="row">(\w+)</th>(.*?)</tr>', table)
    assert rows[-1][0] not in {method.name for method in boards[NASTY].methods}
    for name, cells in rows:
        assert cells.count(" points") == (name in ("one", "two"))
        assert cells.count("rank ") == 1 + (name in ("one", "two"))


def test_what_differs_is_listed_and_what_does_not_is_not(boards):
    listed = dict(differences(boards))
    assert listed["models a side (N)"] == ["16", "24"]
    assert listed["experiment_seed"] == ["3", "7"]
    assert "data.source" not in listed
    assert "delta" not in listed
    assert differences({"a": boards["first"], "b": boards["first"]}) == []


def test_the_answer_names_who_leads_over_all_boards_and_on_each(boards):
    sentences = answer(boards)
    assert re.match(r"(one|two) has the best mean over the 2 boards", sentences[0])
    assert sentences[1].startswith("first: ")
    assert answer({"a": findings(("x",)), "b": findings(("y",))})[0] == "No method is scored on all boards."
    three = answer({"a": findings(NAMES), "b": findings(NAMES)})
    assert three[-1] == "Rank correlation of the boards' orders of 3 methods: 1.00."


def outputs(path, seed, shift=0.0, models=16):
    generator = np.random.default_rng(seed)
    np.savez(path, confidence=generator.normal(shift, 2.0, (models, 12)), labels=np.arange(12) % 3)
    return str(path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of scores of models trained elsewhere, of the same methods against other retrained models."""
    root = tmp_path_factory.mktemp("boards")
    sides = [outputs(root / "good.npz", 1, 0.4), outputs(root / "bad.npz", 2, 2.0)]
    for number in (1, 2):
        retrained = outputs(root / f"retrained{number}.npz", 10 + number)
        score_elsewhere(retrained, sides, root / f"board{number}", None, None, 1e-5, 0, 0.2)
    return root


def test_the_command_writes_the_page_of_folders_without_outputs(folders, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["compare", str(folders / "board1"), f"other={folders / 'board2'}", "-o", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    data = data_of(out.read_text())
    assert [board["name"] for board in data["boards"]] == ["board1", "other"]
    assert [board["shown"] for board in data["boards"]] == [[], []]
    # The same examples and labels.
    assert len({board["pool"] for board in data["boards"]}) == 1


def test_a_sweep_writes_it_beside_its_tables(folders, monkeypatch):
    class Finished:
        def leaderboard_origin(self):
            return type("Any", (), {"key": None})

    text = write_comparison(Sweep(folders, {}), dict.fromkeys(["board1", "board2", "absent"], Finished()))
    assert text.name == "comparison.md"
    assert [board["name"] for board in data_of((folders / "comparison.html").read_text())["boards"]] == [
        "board1", "board2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["{0}/board1"], "has one board. Name two folders or more"),
        (["{0}/board1", "{0}"], "there is no leaderboard.json in it"),
        (["{0}/board1", "{0}/nowhere"], "nowhere is no folder"),
        (["a={0}/board1", "a={0}/board2"], "two boards are called a. Write NAME=FOLDER"),
        (["{0}/board1", "{0}/board1"], "two boards are called"),
    ],
)
def test_what_cannot_be_compared_is_named(folders, given, message, capsys):
    assert main(["compare", *(text.format(folders) for text in given)]) == 2
    assert message in capsys.readouterr().err


def test_folders_that_are_called_alike_go_by_their_path(folders, tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "results").symlink_to(folders / "board1")
    (tmp_path / "c").mkdir()
    from unlearning_metric.jobs.compare_boards import named_folders

    assert list(named_folders([f"{tmp_path}/a/../c", f"{tmp_path}/b"])) == ["c", "b"]


def test_one_folder_of_several_originals_has_a_board_for_each(tmp_path):
    scores, replicates, keys = {}, {}, {}
    for name, shift in (("good", 0.3), ("bad", 2.0)):
        score = over_originals([whole_score(ensemble(seed, shift=shift)) for seed in (5, 6, 7)])
        document = {**score.document, "method": name}
        run = {"scored": {"versions": {}, "commit": None, "system": "Linux"}}
        document["provenance"] = {**document["provenance"], "key": name, "origin": None, "run": run}
        scores[name], replicates[name], keys[name] = (
            tmp_path / f"score_{name}.json", tmp_path / f"replicates_{name}.npz", name,
        )  # fmt: skip
        write_document(scores[name], document)
        write_replicates(replicates[name], score.replicates, {"key": name})
        write_parquet(tmp_path / f"samples_{name}.parquet", score.samples, {"key": name})
    write_leaderboard(tmp_path, scores, replicates, keys, {"key": "board", "origin": None})
    out = tmp_path / "originals.html"
    assert main(["compare", str(tmp_path), "-o", str(out)]) == 0
    data = data_of(out.read_text())
    assert [board["name"] for board in data["boards"]] == ["original 0", "original 1", "original 2"]
    assert "copies from the first original" not in out.read_text()
    document = json.loads(scores["good"].read_text())
    shown = [method["score"] for method in data["methods"] if method["name"] == "good"]
    assert shown == document["by_original"]["forgetting_score"]["each"]
    assert len(set(shown)) == 3
