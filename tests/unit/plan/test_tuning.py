"""The experiment in which hyper-parameters are chosen: what it shares with the scored one, and what makes it anew."""

import pytest

from unlearning_metric import config
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import INPUT_KEYS

RAW = {
    "experiment_seed": 1,
    "copies": 32,
    "shard_size": 16,
    "data": {"source": "digits", "train_size": 200},
    "forget": {"strategy": "random", "count": 20},
    "model": {"name": "mlp"},
    "training": {"lr": 1, "epochs": 2, "batch_size": 8},
    "tuning": {"copies": 8},
}
GRID = {"lr": [0.01, 0.1], "epochs": [1, 2]}


@pytest.fixture
def files(tmp_path):
    texts = {
        "finetune": "def unlearn(model, retain_loader, lr=0.002, epochs=1, momentum=0.9): ...\n",
        "retrain": "def unlearn(train_from_scratch, seed): ...\n",
        "public": "def scrub(model, args, retain_loader): ...\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return {name: tmp_path / f"{name}.py" for name in texts if name != "public"} | {"public": tmp_path / "public.py"}


def plan(files, finetune=None, public=None, **changes):
    methods = {"finetune": {"tune": GRID} if finetune is None else finetune, "public": {"function": "scrub"}}
    methods["public"] |= {"arguments": {"args": {"lr": 0.1}}} if public is None else public
    return Plan(config.parse({**RAW, "methods": methods, **changes}, files), files)


def problems(files, **changes) -> str:
    with pytest.raises(config.ConfigError) as caught:
        plan(files, **changes)
    return str(caught.value)


def test_each_point_is_a_method_of_its_own_and_without_a_grid_there_is_no_experiment(files):
    tuning = plan(files).tuning
    points = [dict(tuning.method(name).options) for name in tuning.scored_methods]
    assert sorted(points, key=str) == sorted(
        [{"lr": lr, "epochs": epochs} for lr in (0.01, 0.1) for epochs in (1, 2)], key=str
    )
    without = plan(files, finetune={})
    assert without.tuning is None
    assert not any(path.startswith("tun") for step in without.steps() for path in step.outputs)


def test_it_forgets_apart_from_the_scored_set_with_a_seed_of_its_own_and_shares_the_data(files):
    scored = plan(files)
    tuning = scored.tuning
    split = scored.maker("tuning/data/split.npz")
    assert split.inputs == {"dataset": "data/dataset.npz", "apart_from": "data/split.npz"}
    assert split.origin.inputs["apart_from"] == scored.split_origin.key
    assert tuning.data_origin is scored.data_origin
    assert tuning.config.experiment_seed != scored.config.experiment_seed
    assert tuning.training_origin("retain").key != scored.training_origin("retain").key


def test_it_trains_one_original_and_as_many_models_as_tuning_says(files):
    made = [step for step in plan(files).steps() if step.rule in ("tuning_train_full", "tuning_train_retain")]
    assert [step.outputs[0] for step in made] == [
        "tuning/models/full/0000-0000.safetensors",
        "tuning/models/retain/0000-0007.safetensors",
    ]


def test_copies_scores_and_the_choice_follow_from_each_other(files):
    scored = plan(files)
    choice = scored.maker("tuned/finetune.json")
    assert choice.rule == "tune"
    assert all(scored.maker(path).rule == "tuning_score" for path in choice.inputs["scores"])
    unlearn = scored.maker("models/unlearn/finetune/0000-0015.safetensors")
    assert unlearn.inputs["tuned"] == "tuned/finetune.json"
    assert unlearn.origin.inputs["tuned"] == unlearn.arguments[INPUT_KEYS]["tuned"] == choice.origin.key
    assert scored.maker("score_finetune.json").inputs["tuned"] == "tuned/finetune.json"
    # A check takes seconds: it does not wait for the choice.
    check = scored.step("check", method="finetune")
    assert "tuned" not in check.inputs
    assert check.arguments["settings"]["options"] == {"lr": 0.01, "epochs": 1}
    assert scored.maker("tuned/public.json") is None


def keys(one) -> dict[str, str]:
    return {file.path: file.origin.key for file in one.artifacts()}


def test_a_grid_that_grows_reruns_the_choice_and_the_copies_and_keeps_the_points_it_had(files):
    before, after = keys(plan(files)), keys(plan(files, finetune={"tune": {**GRID, "lr": [0.01, 0.1, 1.0]}}))
    assert {path for path in before if path.startswith("tuning/") and before[path] != after.get(path)} == set()
    changed = {path for path in before if before[path] != after[path]}
    assert "tuned/finetune.json" in changed
    assert "models/unlearn/finetune/0000-0015.safetensors" in changed
    assert not any("public" in path or "retain" in path or "full" in path for path in changed)


def test_a_method_without_a_grid_has_the_keys_it_had(files):
    tuned, plain = keys(plan(files)), keys(plan(files, finetune={}))
    assert {path for path in plain if plain[path] != tuned[path]} == {
        path for path in plain if "finetune" in path or path.startswith(("leaderboard", "report"))
    }


def test_a_value_may_lie_within_the_arguments_of_an_entry(files):
    entry = {"arguments": {"args": {"lr": 0.1, "wd": 0}}, "tune": {"arguments.args.lr": [0.1, 0.5]}}
    tuning = plan(files, finetune={}, public=entry).tuning
    found = [tuning.method(name).interface.arguments["args"] for name in tuning.scored_methods]
    assert sorted(found, key=str) == [{"lr": 0.1, "wd": 0}, {"lr": 0.5, "wd": 0}]


def test_a_recorded_plan_has_the_same_steps(files):
    scored = plan(files)
    assert list(Plan.recorded(scored.record()).steps()) == list(scored.steps())


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"tune": {}}, "methods.finetune.tune: {} is not allowed. Expected a grid"),
        ({"tune": {"lr": 0.1}}, "Expected a grid: hyper-parameters, each with a list of values"),
        ({"tune": {"lr": [0.1]}}, "methods.finetune.tune: is a grid of 1 points. Expected 2 to 256"),
        ({"tune": {"lr": [0.1, 0.1]}}, "names a value of lr twice"),
        ({"lr": 0.2, "tune": {"lr": [0.1, 1]}}, "methods.finetune.tune.lr: is set in the entry as well"),
        ({"tune": {"rate": [0.1, 1]}}, "methods.finetune.tune.rate: the method takes no such hyper-parameter"),
        ({"tune": {"lr": [0.1, "fast"]}}, 'methods.finetune.tune.lr: "fast" is not allowed'),
        ({"tune": {"batches": ["tuple", "dict"]}}, "says how the function is called and cannot be searched"),
        ({"tune": {"arguments.args.lr": [0.1, 1]}}, "there is no such place in the entry"),
        ({"dump": "x.npz", "tune": {"lr": [0.1, 1]}}, "its models were made elsewhere, so"),
    ],
    ids=str,
)
def test_a_grid_is_checked_before_any_job(files, entry, said):
    assert said in problems(files, finetune=entry)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"forget": {"strategy": "class", "label": 3}}, "tuning.forget: missing. methods.finetune.tune"),
        ({"tuning": {"forget": {"strategy": "class"}}}, "tuning.forget: strategy class needs label"),
        ({"tuning": {"forget": {"strategy": "hardest", "count": 9}}}, "tuning.forget.strategy: hardest asks how hard"),
        ({"tuning": {"copies": 5}}, "tuning.copies: 5 is not allowed"),
    ],
    ids=str,
)
def test_the_section_tuning_is_checked(files, changes, said):
    assert said in problems(files, **changes)


def test_another_class_may_be_forgotten_where_the_scored_set_is_a_class(files):
    one = plan(
        files,
        forget={"strategy": "class", "label": 3},
        tuning={"copies": 8, "forget": {"strategy": "class", "label": 5}},
    )
    assert one.tuning.config.forget.label == 5
