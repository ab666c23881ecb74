"""The plan: shards, methods, and which key follows which setting."""

from pathlib import Path

import pytest

from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import INPUT_KEYS
from unlearning_metric.store.shards import shard_models, shard_name, shard_names

ROOT = Path(__file__).resolve().parents[3]
RAW = {
    "copies": 64,
    "shard_size": 32,
    "data": {"source": "digits", "train_size": 500, "test_size": 360, "validation_size": 200},
    "forget": {"strategy": "random", "count": 72},
    "model": {"name": "digits_cnn"},
    "training": {"lr": 0.1, "epochs": 20, "batch_size": 32},
    "methods": {"finetune": {"lr": 0.1}, "reset_head": {"lr": 0.1}},
}
METHODS = ("finetune", "identity", "reset_head", "retrain")


def plan(**changes) -> Plan:
    files = {name: ROOT / "methods" / f"{name}.py" for name in METHODS}
    return Plan(config.parse(config.merge(RAW, changes), files), files)


def all_keys(one: Plan) -> dict[str, str]:
    found = {"data": one.data_origin.key, "split": one.split_origin.key, "leaderboard": one.leaderboard_origin().key}
    found |= {role: one.training_origin(role).key for role in ("full", "retain")}
    for method in METHODS:
        found[f"unlearn/{method}"] = one.unlearning_origin(method).key
        found[f"score/{method}"] = one.score_origin(method).key
    groups = ["full", "retain", *(f"unlearn/{method}" for method in METHODS)]
    return found | {f"dump/{group}": one.dump_origin(group).key for group in groups}


def changed(**changes) -> set[str]:
    before, after = all_keys(plan()), all_keys(plan(**changes))
    return {name for name in before if before[name] != after[name]}


MODELS = {f"unlearn/{method}" for method in METHODS} | {"full", "retain"}
DUMPS = {f"dump/{group}" for group in MODELS}
SCORES = {f"score/{method}" for method in METHODS} | {"leaderboard"}


def test_shards_are_named_by_their_first_and_last_model():
    assert shard_name(32, 63) == "0032-0063"
    assert shard_names(64, 32) == ["0000-0031", "0032-0063"]
    assert shard_names(3, 1) == ["0000-0000", "0001-0001", "0002-0002"]


@pytest.mark.parametrize(("models", "size"), [(64, 32), (6, 2), (5, 5), (4, 1), (20_000, 5_000)])
def test_shards_hold_every_model_once(models, size):
    assert [m for name in shard_names(models, size) for m in shard_models(name)] == list(range(models))


def test_a_plan_has_shards_of_copies_and_single_originals():
    one = plan(originals={"count": 2})
    assert one.shards == ["0000-0031", "0032-0063"]
    assert one.original_shards == ["0000-0000", "0001-0001"]
    assert one.group_shards("full") == one.original_shards
    folders = ("retain", "unlearn/retrain", "unlearn/retrain/original_0001")
    assert one.longest() == [f"models/{folder}/{shard}.safetensors" for folder in folders for shard in one.shards]
    assert one.group_shards("unlearn/finetune") == one.group_shards("retain") == one.shards


def test_methods_are_the_files_of_the_folder_without_helpers(tmp_path):
    for name in ("b.py", "a.py", "_help.py", "notes.txt"):
        (tmp_path / name).write_text("")
    assert find_methods(tmp_path) == {"a": tmp_path / "a.py", "b": tmp_path / "b.py"}
    assert list(find_methods(tmp_path)) == ["a", "b"]


def test_a_skipped_method_is_not_scored_unless_asked_for():
    one = plan(skip=["retrain"])
    assert one.scored_methods == ["finetune", "identity", "reset_head"]
    assert one.method_file("retrain").name == "retrain.py"
    assert one.score_origin("retrain").key == plan().score_origin("retrain").key
    assert changed(skip=["retrain"]) == {"leaderboard"}


def test_an_unknown_method_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="Did you mean 'finetune'") as caught:
        plan().method_file("fintune")
    assert all(name in str(caught.value) for name in METHODS)


def test_every_key_is_its_own_and_repeats():
    found = all_keys(plan())
    assert len(set(found.values())) == len(found)
    assert all_keys(plan()) == found


@pytest.mark.parametrize("changes", [{"device": "cpu"}, {"results": "elsewhere"}, {"shard_size": 16}], ids=str)
def test_where_and_in_what_portions_a_run_is_made_changes_no_key(changes):
    assert changed(**changes) == set()


def test_an_option_of_a_method_changes_that_methods_keys_only():
    wanted = {"unlearn/finetune", "dump/unlearn/finetune", "score/finetune", "leaderboard"}
    assert changed(methods={"finetune": {"lr": 0.2}}) == wanted


def test_more_copies_train_and_unlearn_no_model_anew():
    assert changed(copies=128) == SCORES


def test_more_originals_make_no_model_anew():
    assert changed(originals={"count": 2}) == SCORES


def test_with_an_original_a_copy_the_copies_are_others():
    unlearned = {name for name in MODELS | DUMPS if "unlearn/" in name}
    assert changed(originals="per_copy") == unlearned | SCORES


def test_every_original_has_copies_of_its_own_key_and_place():
    several = plan(originals={"count": 3})
    groups = several.copy_groups("finetune")
    assert groups == ["unlearn/finetune", "unlearn/finetune/original_0001", "unlearn/finetune/original_0002"]
    for origin in (several.models_origin, several.dump_origin):
        assert len({origin(group).key for group in groups}) == 3
        assert origin(groups[1]).key == plan(originals={"count": 2}).__getattribute__(origin.__name__)(groups[1]).key
    path = "models/unlearn/finetune/original_0002/0032-0063.safetensors"
    step = several.maker(path)
    assert (step.rule, step.outputs, step.arguments["copies"]["original"]) == ("unlearn", (path,), 2)
    assert step.inputs["originals"] == ["models/full/0002-0002.safetensors"]
    assert step.origin.key == several.models_origin(groups[2]).key
    dump = several.maker("losses/unlearn/finetune/original_0002/0032-0063.parquet")
    assert dump.inputs["shard"] == path
    assert set(several.step("score", method="finetune").inputs) == {
        "retrained", "unlearned", "unlearned_0001", "unlearned_0002", "originals",
    }  # fmt: skip


def test_with_an_original_a_copy_a_job_reads_those_of_its_copies():
    mixed = plan(originals="per_copy")
    assert mixed.original_shards == mixed.shards
    step = mixed.maker("models/unlearn/finetune/0032-0063.safetensors")
    assert step.inputs["originals"] == ["models/full/0032-0063.safetensors"]
    assert step.arguments["copies"]["original"] is None
    assert mixed.copy_groups("finetune") == ["unlearn/finetune"]


def test_an_oracle_is_of_the_same_original(tmp_path):
    several = with_oracle(tmp_path, originals={"count": 2})
    step = several.maker("models/unlearn/oracle/original_0001/0000-0031.safetensors")
    assert step.inputs["oracles"] == ["models/unlearn/retrain/original_0001/0000-0031.safetensors"]
    assert step.arguments[INPUT_KEYS]["oracles"] == several.models_origin("unlearn/retrain/original_0001").key


@pytest.mark.parametrize("changes", [{"delta": 1e-4}, {"efficiency": {"limit": 0.3}}, {"ceiling": "retrain"}], ids=str)
def test_settings_of_the_score_change_scores_only(changes):
    assert changed(**changes) == SCORES


@pytest.mark.parametrize("changes", [{"training": {"lr": 0.2}}, {"model": {"width": 16}}], ids=str)
def test_the_recipe_and_the_model_change_all_but_data_and_split(changes):
    assert changed(**changes) == MODELS | DUMPS | SCORES


def test_the_forget_set_changes_all_but_the_data():
    assert changed(forget={"count": 50}) == {"split"} | MODELS | DUMPS | SCORES


@pytest.mark.parametrize("changes", [{"experiment_seed": 1}, {"data": {"test_size": 300}}], ids=str)
def test_what_the_data_depend_on_changes_everything(changes):
    assert changed(**changes) == set(all_keys(plan()))


def test_editing_the_users_data_file_changes_everything(tmp_path):
    def keys(content: bytes) -> dict[str, str]:
        (tmp_path / "mine.npz").write_bytes(content)
        return all_keys(plan(data={"source": "npz", "path": str(tmp_path / "mine.npz")}))

    one, same, other = keys(b"one"), keys(b"one"), keys(b"two")
    assert one == same
    assert all(one[name] != other[name] for name in one)


def test_the_place_of_the_users_data_file_changes_no_key(tmp_path):
    found = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.npz").write_bytes(b"same")
        one = plan(data={"source": "npz", "path": str(tmp_path / folder / "mine.npz")})
        found.append(all_keys(one))
    assert found[0] == found[1]


def test_scores_know_what_the_users_data_are_called_and_not_where_they_lie(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.npz").write_bytes(b"arrays")
    plans = [
        plan(data={"source": "npz", "path": str(tmp_path / name / f"{name}.npz"), "test_size": None})
        for name in ("here", "there")
    ]
    assert [one.score_settings("finetune")["data"]["path"] for one in plans] == ["here.npz", "there.npz"]
    assert plans[0].score_origin("finetune").key == plans[1].score_origin("finetune").key
    assert "path" not in plan().score_settings("finetune")["data"]


def test_an_image_in_the_users_folder_changes_everything(tmp_path):
    def keys(folder, content: bytes) -> dict[str, str]:
        (tmp_path / folder / "train").mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "train" / "1.png").write_bytes(content)
        return all_keys(plan(data={"source": "image_folder", "path": str(tmp_path / folder)}))

    one, same, other = keys("a", b"one"), keys("b", b"one"), keys("a", b"two")
    assert one == same
    assert all(one[name] != other[name] for name in one)


def test_where_a_download_is_kept_changes_no_key():
    assert all_keys(plan(data={"source": "cifar10"})) == all_keys(plan(data={"source": "cifar10", "path": "there"}))
    assert plan(data={"source": "cifar10"}).data_origin.key != plan(data={"source": "cifar100"}).data_origin.key


@pytest.mark.parametrize(
    "changes", [{"normalize": "none"}, {"normalize": "given", "mean": [0.5], "std": [0.2]}], ids=["none", "given"]
)
def test_what_a_net_sees_changes_everything(changes):
    assert changed(data=changes) == set(all_keys(plan()))


def test_what_the_file_of_indices_holds_counts_and_not_where_it_lies(tmp_path):
    def keys(name, content):
        (tmp_path / name).write_text(content)
        return all_keys(plan(forget={"strategy": "indices", "path": str(tmp_path / name), "count": None}))

    one, same, other = keys("a.txt", "1 2"), keys("b.txt", "1 2"), keys("a.txt", "1 3")
    assert one == same
    assert {name for name in one if one[name] == other[name]} == {"data"}


def hard(changes=None, **forget) -> Plan:
    return plan(forget={"strategy": "hardest", **forget}, **(changes or {}))


@pytest.mark.parametrize(
    ("changes", "measured_anew"),
    [
        ({"strategy": "easiest"}, False),
        ({"count": 71}, False),
        ({"difficulty_models": 8}, True),
        ({"changes": {"training": {"lr": 0.2}}}, True),
        ({"changes": {"model": {"width": 8}}}, True),
        ({"changes": {"data": {"train_size": 400}}}, True),
        ({"changes": {"data": {"validation_size": 100}}}, True),
        ({"changes": {"experiment_seed": 1}}, True),
    ],
    ids=str,
)
def test_difficulty_is_measured_anew_only_for_what_it_depends_on(changes, measured_anew):
    before, after = hard(), hard(**changes)
    assert (before.difficulty_origin.key != after.difficulty_origin.key) == measured_anew
    assert before.split_origin.key != after.split_origin.key


def test_a_metric_setting_and_more_copies_leave_difficulty_and_split_alone():
    for changes in ({"copies": 128}, {"delta": 0.001}, {"methods": {"finetune": {"lr": 0.2}}}, {"probe_size": 50}):
        after = hard(changes)
        assert after.difficulty_origin.key == hard().difficulty_origin.key
        assert (after.split_origin.key == hard().split_origin.key) == ("probe_size" not in changes)


def test_only_hard_and_easy_examples_need_a_measure_of_difficulty():
    assert [one.path for one in hard().artifacts()][:3] == ["data/dataset.npz", "data/difficulty.npz", "data/split.npz"]
    assert "data/difficulty.npz" not in [one.path for one in plan().artifacts()]
    assert "difficulty" not in plan().split_origin.inputs


def test_settings_at_their_neutral_value_enter_no_key():
    named = set(plan().data_origin.settings) | set(plan().score_origin("finetune").settings["data"])
    assert named == {"source", "train_size", "test_size", "validation_size", "experiment_seed"}
    for settings in (plan().split_origin.settings, plan().score_origin("finetune").settings):
        assert settings["forget"] == {"strategy": "random", "count": 72, "fraction": None, "label": None}


def test_editing_a_method_file_changes_that_methods_keys_only(tmp_path):
    for path in (ROOT / "methods").glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())

    def keys() -> dict[str, str]:
        files = {name: tmp_path / f"{name}.py" for name in METHODS}
        return all_keys(Plan(config.parse(RAW, files), files))

    before = keys()
    assert before == all_keys(plan())
    with open(tmp_path / "identity.py", "a") as stream:
        stream.write("\n\nEDITED = True\n")
    after = keys()
    wanted = {"unlearn/identity", "dump/unlearn/identity", "score/identity", "leaderboard"}
    assert {name for name in before if before[name] != after[name]} == wanted


def with_oracle(folder, retrain="def unlearn(train_from_scratch, seed): ...\n", **changes) -> Plan:
    texts = {"finetune": "def unlearn(model, lr=1): ...\n", "oracle": "def unlearn(oracle_model): ...\n"}
    for name, text in {**texts, "retrain": retrain}.items():
        (folder / f"{name}.py").write_text(text)
    files = {name: folder / f"{name}.py" for name in (*texts, "retrain")}
    return Plan(config.parse({**RAW, "methods": {}, **changes}, files), files)


def test_an_oracles_copies_depend_on_the_method_retrain(tmp_path):
    def keys(**changes):
        one = with_oracle(tmp_path, **changes)
        return {f"{name}{kind}": getattr(one, kind)(name).key for name in ("finetune", "oracle", "retrain")
                for kind in ("unlearning_origin", "check_origin")}  # fmt: skip

    before, after = keys(), keys(retrain="def unlearn(train_from_scratch, seed): return train_from_scratch(seed)\n")
    assert {name for name in before if before[name] == after[name]} == {
        "finetuneunlearning_origin",
        "finetunecheck_origin",
    }


@pytest.mark.parametrize("entry", [{"function": "main"}, {"batches": "kaggle"}, {"lr": 2}, {"file": "oracle"}], ids=str)
def test_whatever_an_entry_says_changes_its_own_keys_only(tmp_path, entry):
    def keys(twin):
        one = with_oracle(tmp_path, methods={"twin": {"file": "finetune", **twin}})
        return {name: one.score_origin(name).key for name in one.scored_methods}

    before, after = keys({}), keys(entry)
    assert {name for name in before if before[name] != after[name]} == {"twin"}


def test_entries_that_share_a_file_are_methods_of_their_own(tmp_path):
    one = with_oracle(tmp_path, methods={"low": {"file": "finetune", "lr": "5"}, "high": {"file": "finetune"}})
    assert one.scored_methods == ["finetune", "high", "low", "oracle", "retrain"]
    assert len({one.unlearning_origin(name).key for name in ("finetune", "high", "low")}) == 3
    assert one.unlearning_settings("low")["options"] == one.score_settings("low")["options"] == {"lr": 5}


def test_limits_change_no_key_but_that_of_the_leaderboard():
    assert changed(max_seconds_per_copy=5.0) == set()
    assert changed(efficiency={"exclude": True}) == {"leaderboard"}


def test_a_score_compares_retrained_unlearned_and_original_models():
    groups = {"retrained": "retain", "unlearned": "unlearn/finetune", "originals": "full"}
    assert plan().score_groups("finetune") == groups
    assert plan(ceiling="retrain").score_groups("finetune") == {**groups, "ceiling": "unlearn/retrain"}
    keys = plan(ceiling="retrain").score_keys("finetune")
    assert keys["ceiling"] == plan().dump_origin("unlearn/retrain").key
    assert len(set(keys.values())) == 4


#: Step -> the settings that its key had when keys came to be. They are never more, or everybody's results are stale.
SETTINGS = {
    "prepare_data": "experiment_seed source test_size",
    "split_data": "experiment_seed forget.count forget.fraction forget.label forget.strategy probe_size test_size "
    "train_size validation_size",
    "difficulty": "experiment_seed models train_size validation_size",
    "train": "experiment_seed role",
    "unlearn": "batches experiment_seed file function method originals",
}
NET_AND_RECIPE = (
    "model.hidden model.name model.width training.batch_size training.epochs training.label_smoothing training.lr "
    "training.momentum training.optimizer training.precision training.schedule training.warmup training.weight_decay"
)


def names(settings, prefix="") -> set[str]:
    found: set[str] = set()
    for name, value in settings.items():
        found |= names(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}"}
    return found


def test_a_setting_that_came_later_enters_no_key_at_its_neutral_value():
    files = {name: ROOT / "methods" / f"{name}.py" for name in METHODS}
    bare = {**RAW, "data": {"source": "digits"}, "methods": {}}
    made = Plan(config.parse(bare, files), files)
    origins = (
        made.data_origin, made.split_origin, made.difficulty_origin, made.training_origin("retain"),
        made.unlearning_origin("finetune"),
    )  # fmt: skip
    for origin in origins:
        older = set(SETTINGS[origin.step].split())
        if origin.step in ("difficulty", "train", "unlearn"):
            older |= set(NET_AND_RECIPE.split())
        later = names(origin.settings) - older
        assert not later, f"{later} would make the results of everybody stale: give each its value in config/neutral.py"
