"""More copies later, fewer files on disk, copies that diverge: the real chain."""

import json

import pytest

from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.scoring.score import canonical
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import read_document

pytestmark = pytest.mark.slow

BOARD = "results/leaderboard.md"
DIVERGING = """import torch


def unlearn(model, seed):
    if seed in SEEDS:
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
    else:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.01)
"""


def run(workflow, *args):
    answer = workflow.run("--cores", "2", *args)
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


def score(workflow, method, results="results"):
    return read_document(workflow.path(f"{results}/score_{method}.json"))


def made(workflow, part):
    folder = workflow.path("results")
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob(part)}


def test_growing_retrains_nothing_and_gives_the_scores_of_one_large_run(workflow):
    workflow.only("finetune").configure(shard_size=8, training={"lr": 0.1, "epochs": 1, "batch_size": 64})
    before = {}
    for copies in (8, 16):
        run(workflow, "results/score_finetune.json", "--config", f"copies={copies}")
        now = made(workflow, "*-*.*")
        assert {path: now[path] for path in before} == before
        before = now
    assert score(workflow, "finetune")["copies"] == 16
    run(workflow, "whole/score_finetune.json", "--config", "copies=16", "results=whole")

    assert canonical(score(workflow, "finetune")) == canonical(score(workflow, "finetune", "whole"))
    for path in before:
        if "losses" in path:
            grown, whole = (workflow.path(f"{results}/{path}") for results in ("results", "whole"))
            assert grown.stat().st_size > 0
            assert whole.exists()


def test_without_checkpoints_only_originals_stay_and_nothing_is_made_again(workflow):
    workflow.only("finetune", "identity").configure(keep_checkpoints=False, shard_size=8)
    run(workflow, BOARD)
    assert sorted(made(workflow, "*.safetensors")) == ["models/full/0000-0000.safetensors"]
    reference = canonical(score(workflow, "finetune"))
    assert workflow.counts(BOARD) == {}

    # A new metric setting, a new method, twice the copies.
    assert workflow.counts("--config", "delta=0.001") == {"score": 2, "leaderboard": 1, "report": 1, "all": 1}
    workflow.write("methods/fresh.py", "def unlearn(model):\n    return model\n")
    assert workflow.counts() == {"unlearn": 1, "dump_losses": 1, "score": 1, "leaderboard": 1, "report": 1, "all": 1}
    run(workflow, BOARD)
    workflow.path("methods/fresh.py").unlink()
    jobs = workflow.jobs("--config", "copies=16")
    assert {job.pairs("wildcards")["shard"] for job in jobs if "shard" in job.pairs("wildcards")} == {"0008-0015"}
    # Kept or not, the score is the same.
    run(workflow, "kept/score_finetune.json", "--config", "keep_checkpoints=true", "results=kept")
    assert canonical(score(workflow, "finetune", "kept")) == reference
    assert len(made(workflow, "*.safetensors")) == 1


def test_diverged_copies_are_counted_shown_or_refused(workflow):
    seeds = [Streams(0, "unlearn/astray", index).integer("seed") % 2**31 for index in (1, 5)]
    workflow.only("identity").write("methods/astray.py", DIVERGING.replace("SEEDS", str(seeds)))
    workflow.configure(methods={}, shard_size=8)
    run(workflow, BOARD)
    document = score(workflow, "astray")
    assert document["diverged"] == [1, 5]
    assert any("2 of 8 copies diverged" in warning for warning in document["warnings"])
    rows = {row["method"]: row for row in json.loads(workflow.path("results/leaderboard.json").read_text())["rows"]}
    assert (rows["astray"]["diverged"], rows["identity"]["diverged"]) == (2, 0)

    # The outputs are there: under "fail" the scores are looked at again, nothing is run again.
    assert workflow.counts("--config", "on_diverged=fail") == {"score": 2, "leaderboard": 1, "report": 1, "all": 1}
    refused = workflow.run("--cores", "2", BOARD, "--config", "on_diverged=fail")
    assert refused.returncode != 0
    assert "unlearn/astray: models 1, 5 have non-finite parameters or outputs" in refused.stdout
    fresh = workflow.run("--cores", "2", "strict/leaderboard.md", "--config", "on_diverged=fail", "results=strict")
    assert fresh.returncode != 0
    assert not list(workflow.path("strict/losses/unlearn").glob("astray/*.parquet"))
    assert score(workflow, "identity", "strict")["diverged"] == []
    table = workflow.path("strict/leaderboard.md").read_text()
    assert "failed" in table
    assert "- astray: unlearn/astray: models" in table


def test_the_disk_need_is_what_the_page_says(finished):
    state = build_model(Model(name="digits_cnn", width=8), (8, 8, 1), 10, 0).state_dict().values()
    model = 4 * sum(tensor.numel() for tensor in state)
    rows = 40 + 20 + 50 + 360
    methods, copies, originals, shards = 2, 8, 1, 2
    models = originals + copies * (1 + methods)
    files = originals + shards * (1 + methods)
    stored = finished.path("results/data/dataset.npz").stat().st_size
    # Of the report, the scripts that draw its charts take 770 kB.
    report = 950_000 + 250_000 * methods
    expected = stored + models * (model + 26 * rows) + 8000 * files + report

    assert finished.first_size == pytest.approx(expected, rel=0.10)
