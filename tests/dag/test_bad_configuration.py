"""A bad configuration stops before any job starts; what is said of each mistake: tests/unit/config."""


def test_bad_value_is_named(workflow):
    workflow.configure(copies="many")

    # A real run, not a dry one: no job may start.
    stopped_by(workflow, "config/config.yaml has 1 problem:", 'copies: "many" is not allowed', "integer")


def test_all_problems_are_listed_at_once(workflow):
    workflow.configure(copies="many", device="gpu", probe_size=0)

    stopped_by(workflow, "config/config.yaml has 3 problems:", "copies:", "device:", "probe_size:")


def test_yaml_slip_is_shown(workflow):
    workflow.write("config/config.yaml", "copies: 8\n\tshard_size: 4\n")

    stopped_by(workflow, "config/config.yaml", "line 2", "use spaces")


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
