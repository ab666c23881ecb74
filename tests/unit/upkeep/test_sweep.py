"""Several experiments: reading them, sharing files between them, comparing their leaderboards."""

import dataclasses
import os
from pathlib import Path

import pytest
import yaml

from unlearning_metric import config
from unlearning_metric.config import ConfigError
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.store.files import write_document, write_models, write_npz, write_parquet
from unlearning_metric.upkeep import sweep
from unlearning_metric.upkeep.sweep import read_sweep, share

ROOT = Path(__file__).resolve().parents[3]
METHODS = find_methods(ROOT / "methods")


def written(tmp_path, **sweep_keys):
    base = {"copies": 8, "forget": {"strategy": "random", "count": 40}, "methods": {"finetune": {"lr": 0.1}}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({"results": "out", "base": "base.yaml", "experiments": {"one": {}}, **sweep_keys}))
    return path


def test_paths_of_a_sweep_may_begin_at_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = read_sweep(written(tmp_path, results="~/out", base="$HOME/base.yaml"))
    assert found.experiments["one"]["results"] == f"{tmp_path}/out/one"
    with pytest.raises(ConfigError, match=r"results: \$NOT_SET/out"):
        read_sweep(written(tmp_path, results="$NOT_SET/out"))


def test_an_experiment_is_the_base_and_what_differs(tmp_path):
    changes = {"forget": {"strategy": "class", "label": 3, "count": None}, "methods": {"finetune": {"epochs": 2}}}
    found = read_sweep(written(tmp_path, experiments={"one": None, "two": changes}))

    assert found.results == Path("out")
    assert found.experiments["one"]["copies"] == 8
    assert found.experiments["two"] == {
        "copies": 8,
        "forget": {"strategy": "class", "label": 3},
        "methods": {"finetune": {"lr": 0.1, "epochs": 2}},
        "results": "out/two",
    }


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"experiment": {}}, "unknown key experiment"),
        ({"experiments": {}}, "at least one experiment"),
        ({"experiments": {"a/b": {}}}, "experiments.a/b: a name is text of letters, digits and underscores alone.$"),
        ({"experiments": {2024: {}}}, "experiments.2024: .* Put it in quotes"),
        ({"experiments": {"a": 3}}, "experiments.a: expected what differs"),
        ({"experiments": {"a": {"results": "x"}}}, "its results go to out/a"),
        ({"experiments": {"a": 0}}, "experiments.a: expected what differs"),
        ({"base": "nowhere.yaml"}, "no such file"),
        ({"base": None}, "base: None is not allowed. Expected a path"),
        ({"results": None}, "results: None is not allowed. Expected a path"),
        ({"base": 3}, "base: 3 is not allowed. Expected a path"),
    ],
)
def test_mistakes_are_named(tmp_path, keys, message):
    with pytest.raises(ConfigError, match=message):
        read_sweep(written(tmp_path, **keys))


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("experiments: {a: {}}\n")
    with pytest.raises(ConfigError, match="base, results missing"):
        read_sweep(path)


def test_the_example_holds_five_sound_experiments():
    found = read_sweep(ROOT / "config" / "sweep_example.yaml")
    plans = {name: Plan(config.parse(raw, METHODS), METHODS)
             for name, raw in found.experiments.items()}  # fmt: skip

    assert len(plans) == 5
    retained = {name: plan.training_origin("retain").key for name, plan in plans.items()}
    assert retained["three_originals"] == retained["random"]
    assert len(set(retained.values())) == 4


@pytest.fixture
def plan():
    raw = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    return Plan(config.parse(raw, METHODS), METHODS)


def test_only_missing_files_of_the_needed_key_are_shared(tmp_path, plan):
    split, data = plan.split_origin, plan.data_origin
    write_npz(tmp_path / "other/data/split.npz", {}, split.header())
    write_npz(tmp_path / "other/data/dataset.npz", {}, dataclasses.replace(data, settings={}).header())
    write_npz(tmp_path / "third/data/dataset.npz", {}, data.header())
    others = [tmp_path / "other", tmp_path / "third"]

    assert share(plan, tmp_path / "mine", others) == ["data/dataset.npz", "data/split.npz"]
    assert (tmp_path / "mine/data/split.npz").samefile(tmp_path / "other/data/split.npz")
    assert (tmp_path / "mine/data/dataset.npz").samefile(tmp_path / "third/data/dataset.npz")
    assert share(plan, tmp_path / "mine", others) == []


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("had", ["models/unlearn/retrain", "losses/unlearn/oracle_matching", None])
def test_outputs_of_deleted_models_are_not_shared_where_a_method_still_needs_the_models(tmp_path, plan, keep, had):
    methods = {name: METHODS[name] for name in ("retrain", "oracle_matching")}
    changes = {"keep_checkpoints": keep, "copies": 4, "shard_size": 4, "methods": {}, "skip": []}
    plan = Plan(plan.config.model_copy(update=changes), methods)
    held = {"losses/unlearn/retrain", had} - {None}
    for artifact in plan.artifacts():
        if str(Path(artifact.path).parent) in held:
            write = write_models if artifact.path.endswith(".safetensors") else write_parquet
            write(tmp_path / "other" / artifact.path, {}, {"models": [0], **artifact.origin.header()})

    given = {str(Path(path).parent) for path in share(plan, tmp_path / "mine", [tmp_path / "other"])}

    assert given == (held if had or keep else set())


def test_what_was_shared_and_is_not_needed_any_more_is_taken_away_and_nothing_else(tmp_path, plan):
    for name, origin in (("dataset", plan.data_origin), ("split", plan.split_origin)):
        write_npz(tmp_path / f"other/data/{name}.npz", {}, origin.header())
    mine = tmp_path / "mine"
    share(plan, mine, [tmp_path / "other"])
    other_split = Plan(plan.config.model_copy(update={"probe_size": 7}), METHODS)

    assert share(other_split, mine, []) == []

    assert not (mine / "data/split.npz").exists()
    assert (mine / "data/dataset.npz").exists()
    assert (tmp_path / "other/data/split.npz").exists()
    # Made here since: it is the experiment's own, whatever its key.
    write_npz(mine / "data/dataset.npz", {}, {"key": "made here"})
    share(plan, mine, [tmp_path / "other"])
    share(other_split, mine, [])
    assert (mine / "data/dataset.npz").exists()


def test_what_an_interrupted_sharing_put_there_is_listed(tmp_path, plan, monkeypatch):
    for name, origin in (("dataset", plan.data_origin), ("split", plan.split_origin)):
        write_npz(tmp_path / f"other/data/{name}.npz", {}, origin.header())
    link = os.link

    def interrupted(source, target):
        link(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        share(plan, tmp_path / "mine", [tmp_path / "other"])
    monkeypatch.setattr(os, "link", link)
    assert (tmp_path / "mine/data/dataset.npz").exists()
    changed = plan.config.data.model_copy(update={"test_size": 10})
    other = Plan(plan.config.model_copy(update={"data": changed}), METHODS)
    assert sweep.outdated(other, tmp_path / "mine") == ["data/dataset.npz"]
    (tmp_path / "mine/given.json").write_text("[]")
    assert sweep.outdated(other, tmp_path / "mine") == []


def test_what_is_made_anew_leaves_the_others_as_they_are(tmp_path, plan):
    theirs, mine = tmp_path / "other/data/split.npz", tmp_path / "mine/data/split.npz"
    write_npz(theirs, {}, plan.split_origin.header())
    share(plan, tmp_path / "mine", [tmp_path / "other"])
    before = theirs.read_bytes()

    write_npz(mine, {}, {"key": "another"})

    assert theirs.read_bytes() == before
    assert mine.read_bytes() != before


def test_where_there_are_no_hard_links_files_are_copied(tmp_path, plan, monkeypatch):
    def refuse(source, target):
        raise OSError("Invalid cross-device link")

    write_npz(tmp_path / "other/data/split.npz", {}, plan.split_origin.header())
    monkeypatch.setattr(os, "link", refuse)

    assert share(plan, tmp_path / "mine", [tmp_path / "other"]) == ["data/split.npz"]
    mine = tmp_path / "mine/data/split.npz"
    assert mine.read_bytes() == (tmp_path / "other/data/split.npz").read_bytes()
    assert not mine.samefile(tmp_path / "other/data/split.npz")


BOARDS = {
    name: {"rows": [{"method": "x", "rank": 1, "relative": 0.5, "relative_low": 0.4, "relative_high": 0.6}]}
    for name in ("a", "b")
}


def test_without_any_leaderboard_there_is_no_comparison(tmp_path):
    assert sweep.write_comparison(sweep.Sweep(tmp_path, {"a": {}}), {}) is None


def test_a_leaderboard_of_another_configuration_or_a_damaged_one_is_left_out_and_named(tmp_path, plan):
    def board(name, key):
        document = {**BOARDS["a"], "provenance": {"key": key, "origin": None, "run": {}}}
        write_document(tmp_path / name / "leaderboard.json", document)

    board("now", plan.leaderboard_origin().key)
    board("earlier", "another")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/leaderboard.json").write_text("")
    plans = dict.fromkeys(["now", "earlier", "damaged", "none"], plan)

    text = sweep.write_comparison(sweep.Sweep(tmp_path, {}), plans).read_text()

    assert "| method | mean   | worst  | now" in text
    assert "Without earlier, damaged, none: no finished leaderboard of the configuration as it is now." in text
    assert "earlier_rank" not in (tmp_path / "comparison.csv").read_text()
