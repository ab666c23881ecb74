"""Three experiments from one command: what is the same is made once, and the leaderboards stand side by side."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from unlearning_metric.scoring.score import canonical
from unlearning_metric.store.files import read_document

pytestmark = pytest.mark.slow

EXPERIMENTS = {"plain": {}, "two_originals": {"originals": {"count": 2}}, "smaller": {"forget": {"count": 20}}}


def sweep(workflow, *options):
    return subprocess.run(
        [sys.executable, "workflow/sweep.py", "sweep.yaml", *options],
        cwd=workflow.folder, env=workflow.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip


def jobs(output, rule):
    """How many jobs of a rule ran, in each experiment."""
    return [part.count(f"rule {rule}:") for part in output.split("files shared with the other experiments")[1:]]


def test_three_experiments(workflow):
    workflow.only("finetune", "identity").configure(shard_size=8, device="cpu")
    whole = {"results": "out", "base": "config/config.yaml", "experiments": EXPERIMENTS}
    workflow.write("sweep.yaml", yaml.safe_dump(whole, sort_keys=False))

    answer = sweep(workflow, "--cores", "2", "-p", "leaderboard")

    assert answer.returncode == 0, answer.stdout
    # Another number of originals leaves the retrained models as they are; another forget set does not.
    assert jobs(answer.stdout, "train_retain") == [1, 0, 1]
    assert jobs(answer.stdout, "train_full") == [1, 1, 1]
    assert jobs(answer.stdout, "prepare_data") == [1, 0, 0]
    retained = "models/retain/0000-0007.safetensors"
    one, two, three = (workflow.path(f"out/{name}/{retained}") for name in EXPERIMENTS)
    assert one.samefile(two)
    assert not one.samefile(three)
    # The score of an experiment is the one that it has by itself.
    alone = workflow.run(
        "--cores", "2", "alone/score_finetune.json", "--config", "results=alone", "originals={count: 2}"
    )
    assert alone.returncode == 0, alone.stdout
    found, expected = (canonical(read_document(workflow.path(f"{folder}/score_finetune.json")))
                       for folder in ("out/two_originals", "alone"))  # fmt: skip
    assert found == expected

    table = pd.read_csv(workflow.path("out/comparison.csv"))
    assert set(table["method"]) == {"finetune", "identity"}
    assert (table["experiments"] == 3).all()
    for name in EXPERIMENTS:
        board = pd.read_csv(workflow.path(f"out/{name}/leaderboard.csv")).set_index("method")["relative"]
        assert table.set_index("method")[f"{name}_relative"].to_dict() == pytest.approx(board.to_dict())
    assert "Experiments side by side: out/comparison.md" in answer.stdout

    again = sweep(workflow, "--cores", "2", "-p", "leaderboard")
    assert again.returncode == 0
    assert again.stdout.count("Nothing to be done") == 3

    # An experiment that was given files is edited: it is made anew from what it now is, and a dry run writes nothing.
    whole["experiments"]["two_originals"] = {"forget": {"count": 20}, "originals": {"count": 2}}
    workflow.write("sweep.yaml", yaml.safe_dump(whole, sort_keys=False))
    before = {path: path.stat().st_mtime_ns for path in workflow.path("out").rglob("*") if path.is_file()}
    dry = sweep(workflow, "-knj1", "leaderboard")
    assert dry.returncode == 0, dry.stdout
    assert " files that other experiments gave it, data/split.npz first" in dry.stdout
    assert dry.stdout.count("Nothing to be done") == 2
    assert "Experiments side by side" not in dry.stdout
    assert {path: path.stat().st_mtime_ns for path in workflow.path("out").rglob("*") if path.is_file()} == before
    edited = sweep(workflow, "--cores", "2", "-p", "leaderboard")
    assert edited.returncode == 0, edited.stdout
    assert jobs(edited.stdout, "train_retain") == [0, 0, 0]
    assert jobs(edited.stdout, "train_full") == [0, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--config", "copies=4"), "Say in sweep.yaml what the configuration is"),
        (("-n", "-Ccopies=4"), "Say in sweep.yaml what the configuration is"),
        ((), "sweep.yaml, experiments.a: has"),
        ((), "sweep.yaml, experiments.b: has"),
    ],
)
def test_a_mistake_stops_before_any_experiment(workflow, options, message):
    experiments = "experiments: {a: {copies: 3}, b: {copies: 5}}"
    workflow.write("sweep.yaml", f"results: out\nbase: config/config.yaml\n{experiments}\n")

    answer = sweep(workflow, *options)

    assert answer.returncode == 2
    assert message in answer.stdout
    assert not workflow.path("out/a/models").exists()


def test_a_results_folder_that_cannot_be_made_is_named(workflow):
    workflow.write("taken", "")
    workflow.write("sweep.yaml", "results: taken\nbase: config/config.yaml\nexperiments: {a: {}}\n")

    answer = sweep(workflow)

    assert answer.returncode == 2
    assert answer.stdout == ("sweep.yaml: nothing can be written to taken/a: Not a directory. Change results.\n")


# Ctrl-C reaches every process and stops the job, SIGTERM reaches the sweep alone and the job is finished.
@pytest.mark.parametrize(("tell", "seconds"), [(os.killpg, 600), (os.kill, 2)], ids=["ctrl-C", "SIGTERM"])
def test_an_interrupted_sweep_leaves_no_lock_and_goes_on(workflow, tell, seconds):
    workflow.only("identity").configure(shard_size=8, device="cpu", methods={})
    # An absolute path: each copy has a working folder of its own.
    started = workflow.path("started")
    slow = f"import pathlib, time\n\ndef unlearn(model):\n    pathlib.Path({str(started)!r}).touch()\n"
    slow += f"    time.sleep({seconds})\n"
    workflow.write("methods/slow.py", slow)
    workflow.write("sweep.yaml", "results: out\nbase: config/config.yaml\nexperiments: {a: {}}\n")
    # Tests that run in the background inherit that SIGINT is ignored.
    listen = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
    )
    command = [sys.executable, "-c", listen, sys.executable, "workflow/sweep.py", "sweep.yaml", "--cores", "1"]
    process = subprocess.Popen(command, cwd=workflow.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True)  # fmt: skip
    try:
        deadline = time.monotonic() + 300
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        tell(process.pid, signal.SIGINT if tell is os.killpg else signal.SIGTERM)
        rest = process.communicate(timeout=120)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    assert process.returncode == 130, rest
    assert "Interrupted in experiment a. The same command goes on from there." in rest
    assert "Traceback" not in rest.rpartition("Interrupted in experiment")[2]
    workflow.path("methods/slow.py").unlink()
    again = sweep(workflow, "--cores", "2", "-p", "leaderboard")
    assert again.returncode == 0, again.stdout
