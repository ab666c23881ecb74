"""Every bad configuration stops before any job starts, with a message that names the key and the value."""

import pytest

TRAINING = {"lr": 0.1, "epochs": 2, "batch_size": 32}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"copies": "many"}, ['copies: "many" is not allowed', "integer"], id="wrong type"),
        pytest.param({"copies": True}, ["copies: true is not allowed"], id="boolean for a number"),
        pytest.param({"probe_size": -5}, ["probe_size: -5 is not allowed", "at least 1"], id="negative"),
        pytest.param(
            {"training": {**TRAINING, "lr": -0.1}},
            ["training.lr: -0.1 is not allowed", "above 0"],
            id="negative rate",
        ),
        pytest.param({"copys": 8}, ["copys: unknown key", "Did you mean 'copies'?"], id="unknown key"),
        pytest.param(
            {"training": {**TRAINING, "epoch": 3}},
            ["training.epoch: unknown key", "Did you mean 'epochs'?"],
            id="unknown nested key",
        ),
        pytest.param(
            {"copies": 10}, ["copies: 10 is not a multiple of shard_size (4)", "8 or 12"], id="half-filled shard"
        ),
        pytest.param(
            {"data": {"source": "digit"}},
            ['data.source: "digit" is not allowed', "Did you mean 'digits'?"],
            id="unknown data set",
        ),
        pytest.param(
            {"model": {"name": "resnet"}},
            ['model.name: "resnet" is not allowed', "digits_cnn, cnn_small", "a classifier of torchvision"],
            id="unknown model",
        ),
        pytest.param(
            {"methods": {"finetun": {"lr": 0.1}}},
            ["methods.finetun: Unknown method 'finetun'", "Did you mean 'finetune'?", "methods/finetun.py"],
            id="unknown method",
        ),
        pytest.param(
            {"skip": ["identty"]}, ["skip: Unknown method 'identty'", "Did you mean 'identity'?"], id="unknown skip"
        ),
        pytest.param(
            {"forget": {"strategy": "random", "count": 200}},
            ["forget.count: 200 is a forget set as large as the training set", "data.train_size is 200"],
            id="nothing to retain",
        ),
        pytest.param({"device": "gpu"}, ['device: "gpu" is not allowed', "auto, cpu, cuda"], id="device"),
    ],
)  # fmt: skip
def test_bad_value_is_named(workflow, changes, expected):
    workflow.configure(**changes)

    # A real run, not a dry one: no job may start.
    stopped_by(workflow, "config/config.yaml has 1 problem:", *expected)


def test_all_problems_are_listed_at_once(workflow):
    workflow.configure(copies="many", device="gpu", probe_size=0)

    stopped_by(workflow, "config/config.yaml has 3 problems:", "copies:", "device:", "probe_size:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("copies: 8\n\tshard_size: 4\n", ["line 2", "use spaces"], id="tab"),
        pytest.param("copies: [8\nshard_size: 4\n", ["a bracket is opened"], id="bracket"),
        pytest.param("copies: 8\ncopies: 16\n", ["line 2", "'copies' is given twice"], id="key twice"),
        pytest.param("", ["is empty"], id="empty"),
    ],
)
def test_yaml_slip_is_shown(workflow, text, expected):
    workflow.write("config/config.yaml", text)

    stopped_by(workflow, "config/config.yaml", *expected)


def test_bad_value_on_the_command_line_is_named(workflow):
    stopped_by(workflow, "copies: 6 is not a multiple of shard_size (4)", args=["--config", "copies=6"])


def test_a_mistake_in_the_users_net_or_training_is_named_before_any_job(workflow):
    workflow.write("net.py", "def build(num_classes, hidden=8):\n    pass\n")
    workflow.write("training.py", "def fit(model):\n    pass\n")
    workflow.configure(
        model={"file": "net.py", "options": {"hiden": 3}}, training={"file": "training.py", "batch_size": 32}
    )

    stopped_by(workflow, "have 2 problems:", "model.options.hiden:", "training.py has no function 'train'")


def test_missing_data_file_is_named(workflow):
    workflow.configure(data={"source": "npz", "path": "nowhere/mine.npz"})

    stopped_by(workflow, "data.path: there is no file nowhere/mine.npz", "x_train")


def stopped_by(workflow, *expected, args=()):
    answer = workflow.run("--cores", "1", *args)

    assert answer.returncode != 0, answer.stdout
    assert [text for text in expected if text not in answer.stdout] == [], answer.stdout
    assert "Traceback" not in answer.stdout
    assert "Building DAG" not in answer.stdout
    assert not workflow.path("results").exists()
