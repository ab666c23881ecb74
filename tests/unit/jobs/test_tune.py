"""The choice of hyper-parameters: which point is taken, and what is written of it."""

import json

import pytest

from unlearning_metric.config import UnlearningSettings
from unlearning_metric.jobs.tune import choose, chosen_options, tuning_record
from unlearning_metric.jobs.unlearn import with_choice
from unlearning_metric.store.files import write_document

POINTS = [{"lr": 0.01}, {"lr": 0.1}, {"lr": 1.0}]


@pytest.fixture
def chosen(tmp_path):
    """Choose among points with these final scores; their forgetting scores run the other way."""

    def run(scores, points=POINTS):
        paths = []
        for number, score in enumerate(scores):
            paths.append(tmp_path / f"score_{number}.json")
            write_document(
                paths[-1],
                {
                    "challenge": {"final_score": score, "forgetting_score": 1.0 - number / 10},
                    "diverged": [],
                    "copies": 8,
                    "forget": {"strategy": "random", "size": 20},
                    "provenance": {
                        "key": f"{number}",
                        "origin": {"step": "score"},
                        "code": "",
                        "configuration": {"experiment_seed": 5},
                        "run": {},
                    },
                },
            )
        out = tmp_path / "tuned.json"
        keys = [str(number) for number in range(len(scores))]
        choose(paths, keys, points, out, "mine", {"key": "k", "origin": {"step": "tune"}, "code": ""})
        return out

    return run


def test_the_point_with_the_best_final_score_is_taken_and_all_are_written_down(chosen):
    out = chosen([0.1, 0.3, 0.2])
    assert chosen_options(out, "k") == {"lr": 0.1}
    record = tuning_record(out, "k")
    assert [point["final_score"] for point in record["points"]] == [0.1, 0.3, 0.2]
    assert (record["by"], record["copies"], record["experiment_seed"]) == ("final_score", 8, 5)
    assert record["warnings"] == []


def test_without_final_scores_the_forgetting_score_decides(chosen):
    out = chosen([None, 0.3, 0.2])
    assert tuning_record(out, "k")["by"] == "forgetting_score"
    assert chosen_options(out, "k") == {"lr": 0.01}


def test_a_choice_at_the_end_of_the_grid_and_none_at_all_are_said(chosen):
    assert (
        "the lr that was chosen, 1.0, is the largest of the grid"
        in tuning_record(chosen([0.1, 0.2, 0.3]), "k")["warnings"][0]
    )
    nothing = tuning_record(chosen([0.0, 0.0, 0.0]), "k")
    assert nothing["options"] == {"lr": 0.01}
    assert "nothing was chosen" in nothing["warnings"][0]


def test_a_document_that_was_edited_is_refused(chosen):
    out = chosen([0.1, 0.3, 0.2])
    document = json.loads(out.read_text())
    document["options"] = {"lr": 5}
    out.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    with pytest.raises(Exception, match="damaged or was edited"):
        chosen_options(out, "k")


def test_what_was_chosen_is_what_the_copies_are_told():
    settings = UnlearningSettings.model_construct(options={"epochs": 2}, interface={"arguments": {"args": {"lr": 1}}})
    told = with_choice(settings, {"momentum": 0.5, "arguments.args.lr": 0.1})
    assert told.options == {"epochs": 2, "momentum": 0.5}
    assert told.interface["arguments"] == {"args": {"lr": 0.1}}
    assert settings.interface["arguments"] == {"args": {"lr": 1}}
