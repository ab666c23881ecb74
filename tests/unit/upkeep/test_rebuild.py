"""What has to be made anew, and what stops a run before any job."""

import numpy as np
import pytest
import torch

from unlearning_metric.keys.origin import Origin
from unlearning_metric.store.files import write_document, write_models, write_npz, write_page, write_parquet
from unlearning_metric.upkeep.current import PARTIAL, Folder, made_from
from unlearning_metric.upkeep.rebuild import Rebuild, RefusalError
from unlearning_metric.upkeep.sweep import share

FULL, COPIES = "models/full/0000-0000.safetensors", "models/unlearn/mine/0000-0001.safetensors"
DUMP = "losses/unlearn/mine/0000-0001.parquet"


def put(results, step, origin=None):
    """Write the files of a step as its job would, from what lies in the folder."""
    made = made_from(results, [str(results / path) for path in step.reads()])
    header = {**(origin or step.origin).header(), "made_from": made}
    for path in step.outputs:
        file = results / path
        if file.suffix == ".npz":
            write_npz(file, {"x": np.arange(3)}, header)
        elif file.suffix == ".safetensors":
            write_models(file, {0: {"w": torch.ones(1)}}, {**header, "models": [0]})
        elif file.suffix == ".parquet":
            write_parquet(file, {"x": np.arange(3.0)}, header)
        elif file.suffix == ".html":
            write_page(file, "page", header)
        else:
            write_document(file, {"provenance": {**header, "run": {}}})


@pytest.fixture
def finished(make_plan, tmp_path):
    """A results folder in which every file of the plan is current."""
    results = tmp_path / "results"
    for step in make_plan().steps():
        put(results, step)
    return results


def rebuild(plan, results, forced=(), recorded=lambda path: None):
    return Rebuild(
        plan, Folder(results), lambda step: step.rule in forced or bool({*forced} & {*step.outputs}), recorded
    )


def anew(plan, results, **options):
    """Rules of the steps that are made anew."""
    found = rebuild(plan, results, **options)
    return {step.rule for step in plan.steps() if found.anew(step)}


def by_key(plan):
    """Records of a folder that was made here, from the plan as it was."""
    keys = {artifact.path: repr(artifact.origin.key) for artifact in plan.artifacts()}
    return lambda path: f"[{keys[path]}]" if path in keys else None


def refusal(plan, results, targets=(), **options):
    found = rebuild(plan, results, **options)
    with pytest.raises(RefusalError) as refused:
        found.look_through(found.asked(targets))
    return str(refused.value)


def test_of_a_finished_run_nothing_is_made_anew(make_plan, finished):
    assert anew(make_plan(), finished) == set()
    rebuild(make_plan(), finished).look_through(make_plan().steps())


BEHIND = {"dump_losses", "score", "leaderboard", "report"}


@pytest.mark.parametrize(
    ("forced", "expected"),
    [
        (["unlearn"], {"unlearn", *BEHIND}),
        ([COPIES], {"unlearn", *BEHIND}),
        (["dump_losses"], BEHIND),
        (["score"], {"score", "leaderboard", "report"}),
        (["leaderboard"], {"leaderboard", "report"}),
        (["train_full"], {"train_full", "unlearn", *BEHIND}),
        (["split_data"], {"split_data", "train_full", "train_retain", "unlearn", *BEHIND}),
    ],
    ids=lambda value: " ".join(sorted(value)),
)
def test_what_is_forced_makes_all_behind_it_anew(make_plan, finished, forced, expected):
    assert anew(make_plan(), finished, forced=forced) == expected


def test_a_shard_that_is_forced_leaves_the_others(make_plan, finished):
    plan = make_plan()
    found = rebuild(plan, finished, forced=[COPIES])
    made = {path for step in plan.steps() if step.rule == "dump_losses" and found.anew(step) for path in step.outputs}
    assert made == {DUMP}


def test_models_made_anew_alone_make_what_was_made_from_them_anew_in_the_next_run(make_plan, finished):
    header = {**make_plan().maker(COPIES).origin.header(), "models": [0]}
    write_models(finished / COPIES, {0: {"w": torch.zeros(1)}}, header)
    assert anew(make_plan(), finished) == BEHIND


def test_what_a_deleted_file_was_made_to_is_kept(make_plan, finished):
    (finished / COPIES).unlink()
    assert anew(make_plan(), finished) == set()


def test_a_changed_setting_makes_its_own_steps_anew_where_they_were_made_here(make_plan, finished):
    records = by_key(make_plan())
    plan = make_plan(delta=0.001)
    rebuild(plan, finished, recorded=records).look_through(plan.steps())
    assert anew(plan, finished) == {"score", "leaderboard", "report"}


# Copied results, of which there are no records -----------------------------------------------------------------


def test_a_method_that_copied_results_lack_only_makes_the_leaderboard_anew(make_plan, finished, tmp_path):
    (tmp_path / "methods" / "fresh.py").write_text("def unlearn(model): ...\n")
    plan = make_plan()
    for targets in ([], [f"{finished}/check_fresh.json"], [f"{finished}/score_fresh.json"]):
        found = rebuild(plan, finished)
        found.look_through(found.asked(targets))
    # What the new method lacks is merely absent.
    assert anew(plan, finished) == {"leaderboard", "report"}


@pytest.mark.parametrize("changes", [{"delta": 0.001}, {"skip": ["mine"]}, {"copies": 8}], ids=str)
def test_what_is_computed_from_copied_results_may_be_made_anew(make_plan, finished, changes):
    rebuild(make_plan(**changes), finished).look_through(make_plan(**changes).steps())


def test_copied_models_of_another_recipe_stop_the_run(make_plan, finished):
    text = refusal(make_plan(training={"lr": 0.2, "epochs": 1, "batch_size": 8}), finished)
    assert f"{FULL} was made from something else" in text
    assert "training.lr: 0.1 -> 0.2" in text


def test_a_foreign_file_that_a_target_is_not_made_from_stops_nothing(make_plan, finished):
    step = make_plan().maker(COPIES)
    put(finished, step, Origin("unlearn", {"other": 1}))
    assert COPIES in refusal(make_plan(), finished)
    found = rebuild(make_plan(), finished)
    found.look_through(found.asked([f"{finished}/losses/retain/0000-0001.parquet"]))
    assert COPIES in refusal(make_plan(), finished, targets=[f"{finished}/score_mine.json"])


def test_a_file_in_the_place_of_one_that_was_made_here_stops_the_run(make_plan, finished):
    step = make_plan().step("score", method="mine")
    put(finished, step, Origin("unlearn", {"other": 1}))
    records = by_key(make_plan())
    assert "score_mine.json was made from something else" in refusal(make_plan(), finished, recorded=records)


def test_the_leaderboard_of_a_run_that_failed_is_made_anew(make_plan, finished):
    header = {"key": PARTIAL, "origin": None, "run": {}}
    write_document(finished / "leaderboard.json", {"provenance": header})
    rebuild(make_plan(), finished, recorded=by_key(make_plan())).look_through(make_plan().steps())
    assert anew(make_plan(), finished) == {"leaderboard", "report"}


# Damaged, older, lost --------------------------------------------------------------------------------------------


def test_a_damaged_file_stops_the_run_unless_it_is_forced(make_plan, finished):
    (finished / DUMP).write_bytes(b"no")
    assert f"{DUMP}" in refusal(make_plan(), finished)
    found = rebuild(make_plan(), finished, forced=[DUMP])
    found.look_through(make_plan().steps())
    assert DUMP not in [path for step in make_plan().steps() if not found.anew(step) for path in step.outputs]


def test_files_of_an_older_version_are_told_in_one_message(make_plan, finished):
    import json

    for name in ("data/dataset.npz", "data/split.npz"):
        np.savez(finished / name, x=np.arange(3), unlearning_metric=json.dumps({"key": "old", "checksum": "c"}))
    text = refusal(make_plan(), finished)
    assert text.startswith("2 files of")
    assert "older version" in text


@pytest.mark.parametrize("name", ["data/dataset.npz", "data/split.npz", FULL])
def test_a_lost_file_that_all_is_made_from_is_to_be_made_alone(make_plan, finished, name):
    (finished / name).unlink()
    assert f"snakemake --force {finished}/{name}" in refusal(make_plan(), finished)
    found = rebuild(make_plan(), finished, forced=[name])
    found.look_through(found.asked([f"{finished}/{name}"]))


# Graph ------------------------------------------------------------------------------------------------------------


def test_every_file_is_made_by_the_step_that_says_so(make_plan):
    plan = make_plan()
    for step in plan.steps():
        for path in step.outputs:
            assert plan.maker(path) == step
        for path in step.reads():
            assert plan.maker(path) is not None, path


@pytest.mark.parametrize("path", ["score_gone.json", "notes.txt", "models/unlearn/gone/0000-0001.safetensors", "../x"])
def test_no_step_makes_a_file_outside_the_plan(make_plan, path):
    assert make_plan().maker(path) is None


# Shared between experiments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [True, False], ids=["the same models", "models made anew"])
def test_outputs_are_shared_only_with_the_models_that_they_are_of(make_plan, finished, tmp_path, same):
    plan, results = make_plan(), tmp_path / "other"
    put(results, plan.maker("data/dataset.npz"))
    header = {**plan.maker(COPIES).origin.header(), "models": [0]}
    write_models(results / COPIES, {0: {"w": torch.ones(1) if same else torch.zeros(1)}}, header)

    given = set(share(plan, results, [finished]))

    assert {FULL, "data/split.npz", "models/unlearn/mine/0002-0003.safetensors"} <= given
    assert "data/dataset.npz" not in given
    assert (DUMP in given) == same
    assert anew(plan, results) == set()


def test_an_experiment_may_get_more_originals(make_plan, finished):
    more = make_plan(originals={"count": 2})
    rebuild(more, finished).look_through(more.steps())
    absent = [path for step in more.steps() for path in step.outputs
              if path.startswith("models/") and not (finished / path).exists()]  # fmt: skip
    copies = [f"models/unlearn/mine/original_0001/{shard}.safetensors" for shard in ("0000-0001", "0002-0003")]
    assert absent == ["models/full/0001-0001.safetensors", *copies]


def test_an_original_that_copies_were_made_from_is_not_made_by_the_way(make_plan, finished):
    plan = make_plan()
    (finished / FULL).unlink()
    (finished / FULL.replace("models", "losses").replace("safetensors", "parquet")).unlink()
    with pytest.raises(RefusalError, match=r"is missing, and .*models/unlearn/mine"):
        rebuild(plan, finished).look_through(plan.steps())


def test_a_method_with_a_parameter_that_nobody_fills_stops_the_run_that_asks_for_it_and_no_other(make_plan, tmp_path):
    make_plan()
    (tmp_path / "methods" / "greedy.py").write_text("def unlearn(model, zebra):\n    return model\n")
    plan = make_plan()
    found = rebuild(plan, tmp_path / "results")
    with pytest.raises(RefusalError, match=r"method greedy: .*'zebra'\..*greedy under skip"):
        found.look_through(found.asked([str(tmp_path / "results" / "check_greedy.json")]))
    found.look_through(found.asked([str(tmp_path / "results" / "score_mine.json")]))
    found.look_through(make_plan(skip=["greedy"]).steps())
