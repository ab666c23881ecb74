"""Methods of every kind through the real chain: several originals, files from elsewhere, oracles, checks that fail."""

import json
import shutil

import numpy as np
import pytest

from unlearning_metric.store.files import read_document, read_models

pytestmark = pytest.mark.slow

BOARD = "results/leaderboard.md"
#: Deterministic: what it does to a copy depends on the original alone.
SHRINK = "import torch\n\n\ndef unlearn(model):\n    with torch.no_grad():\n        model[-1].weight.mul_(0.5)\n"
ORACLE = "def unlearn(oracle_model):\n    return oracle_model\n"
SUBMISSION = """import torch
from torch.utils.data import DataLoader


def unlearning(net, retain_loader, forget_loader, val_loader):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    net.train()
    for batch in DataLoader(retain_loader.dataset, batch_size=16, shuffle=True):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(batch["image"]), batch["age_group"]).backward()
        optimizer.step()
    return net
"""


def run(workflow, *args):
    answer = workflow.run("--cores", "2", *args)
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


def fails(workflow, *args):
    answer = workflow.run("--cores", "2", *args)
    assert answer.returncode != 0, answer.stdout
    return answer.stdout


def states(workflow, group):
    found = {}
    for path in sorted(workflow.path(f"results/models/{group}").glob("*.safetensors")):
        found |= read_models(path)[0]
    return found


def score(workflow, method, results="results"):
    return read_document(workflow.path(f"{results}/score_{method}.json"))


def test_with_an_original_a_copy_a_deterministic_method_has_a_spread(workflow):
    workflow.only().write("methods/shrink.py", SHRINK)
    workflow.configure(methods={}, originals="per_copy", shard_size=8)
    run(workflow, "results/score_shrink.json")

    originals, copies = states(workflow, "full"), states(workflow, "unlearn/shrink")
    assert (sorted(originals), sorted(copies)) == (list(range(8)), list(range(8)))
    for index, state in copies.items():
        for other, original in originals.items():
            same = all((state[name] == original[name]).all() for name in state if name != "7.weight")
            assert same == (other == index)
        assert (state["7.weight"] == 0.5 * originals[index]["7.weight"]).all()
    document = score(workflow, "shrink")
    assert (document["originals"], document["originals_mode"]) == (8, "per_copy")
    assert document["challenge"]["n_peaky"] < 40
    run(workflow, "single/score_shrink.json", "--config", "originals=1", "results=single")
    assert score(workflow, "shrink", "single")["challenge"]["n_peaky"] == 40
    assert score(workflow, "shrink", "single")["challenge"]["forgetting_score"] == 0.0


@pytest.fixture(scope="module")
def variants(tmp_path_factory, new_workflow):
    """A run with entries that share a file, a file from elsewhere and an oracle, without checkpoints."""
    copy = new_workflow(tmp_path_factory.mktemp("variants") / "it's {mine}").only("finetune", "retrain")
    copy.write("methods/oracle.py", ORACLE)
    copy.write("../elsewhere/submission.py", SUBMISSION)
    copy.configure(
        shard_size=8,
        keep_checkpoints=False,
        efficiency={"exclude": True},
        methods={
            "ft_low": {"file": "finetune", "lr": 0.0005},
            "theirs": {"file": "../elsewhere/submission.py", "function": "unlearning", "batches": "kaggle"},
        },
    )
    run(copy, BOARD)
    return copy


def test_every_entry_is_scored_with_its_own_options(variants):
    rows = json.loads(variants.path("results/leaderboard.json").read_text())["rows"]
    assert {row["method"] for row in rows} == {"finetune", "ft_low", "oracle", "retrain", "theirs"}
    assert score(variants, "ft_low")["provenance"]["configuration"]["options"] == {"lr": 0.0005}
    scores = {row["method"]: row["final_score"] for row in rows}
    assert len({scores["finetune"], scores["ft_low"], scores["theirs"]}) == 3


def test_passes_over_each_set_stand_in_the_score_document(variants):
    assert score(variants, "ft_low")["efficiency"]["passes"] == {"retain": 1.0, "forget": 0.0, "validation": 0.0}
    assert score(variants, "theirs")["efficiency"]["passes"] == {"retain": 1.0, "forget": 0.0, "validation": 0.0}
    # Two epochs of training from scratch.
    assert score(variants, "retrain")["efficiency"]["passes"]["retain"] == 2.0
    assert score(variants, "oracle")["efficiency"]["passes"]["retain"] == 0.0


def test_methods_over_the_time_limit_have_no_rank(variants):
    rows = {row["method"]: row for row in json.loads(variants.path("results/leaderboard.json").read_text())["rows"]}
    assert (rows["retrain"]["rank"], rows["retrain"]["status"]) == (None, "excluded")
    assert rows["retrain"]["passes_ratio"] == 1.0
    ranks = {name: row["rank"] for name, row in rows.items() if row["verdict"] in ("within", "unclear")}
    assert sorted(ranks.values()) == list(range(1, len(ranks) + 1))
    assert "oracle" in ranks


def test_the_oracle_scores_as_retrain_does(variants):
    oracle, retrain = (score(variants, name)["challenge"] for name in ("oracle", "retrain"))
    assert oracle["forgetting_score"] == retrain["forgetting_score"] > 0


def test_oracles_that_were_deleted_stop_the_run_before_any_job(variants):
    assert not list(variants.path("results/models/unlearn").glob("*/*.safetensors"))
    assert variants.counts(BOARD) == {}
    variants.write("methods/late.py", ORACLE)
    try:
        for target in ((), ("results/score_late.json",), ("results/check_late.json",)):
            text = fails(variants, *target)
            assert "method late asks for oracle_model, and results/models/unlearn/retrain/0000-0007.safetensors" in text
            assert "set keep_checkpoints: true, have them trained anew and nothing else, then run again: snake" in text
            assert "Select jobs to execute" not in text
        # Methods that need none are not held up.
        variants.write("methods/other.py", "def unlearn(model): ...\n")
        assert variants.counts("results/score_other.json") == {"unlearn": 1, "dump_losses": 1, "score": 1}
        variants.path("methods/other.py").unlink()
        # The advice works: retrain runs again, and nothing behind it.
        advice = text[text.index("run again: snakemake ") : text.index("   Or put late under skip")].split()[3:]
        run(variants, *advice, "--config", "keep_checkpoints=true")
        made = {path.as_posix() for path in variants.path("results/models/unlearn").glob("*/*.safetensors")}
        assert made == {variants.path(path).as_posix() for path in advice}
        counts = variants.counts("results/score_late.json", "--config", "keep_checkpoints=true")
        assert counts == {"unlearn": 1, "dump_losses": 1, "score": 1}
    finally:
        shutil.rmtree(variants.path("results/models/unlearn"))
        variants.path("methods/late.py").unlink()


def test_a_check_says_what_a_method_does(variants):
    text = run(variants, "results/check_theirs.json")
    found = read_document(variants.path("results/check_theirs.json"))

    assert "theirs: fits the contract; changes parameters: yes; differs between seeds: yes" in text
    assert found["passes"] == {"retain": 1.0, "forget": 0.0, "validation": 0.0}
    assert found["efficiency"]["retraining_measured_on"] == "beside the copies"
    # One of two epochs.
    assert found["efficiency"]["passes_ratio"] == 0.5
    assert found["efficiency"]["copies"] == 8


NO_METHODS = {
    "nameless": (
        "def forget(model):\n    return model\n",
        "method file nameless.py has no function 'unlearn'. It defines: forget. Name the function 'unlearn', or say in "
        "the configuration, under methods, what it is called: function: ...",
    ),
    "wordy": (
        "def unlearn(model):\n    return 'done'\n",
        "method wordy returned str, which is no model, and left model as it was. It must change model in place, or "
        "return an nn.Module.",
    ),
    "wide": (
        "from torch import nn\n\n\ndef unlearn(model):\n    model[-1] = nn.Linear(model[-1].in_features, 11)\n",
        "method wide returned a model of another form (first difference: 7.weight is [11, 32], the original's is "
        "[10, 32]). It must have the original's tensors, since it is scored as that network.",
    ),
    "broken": (
        "def unlearn(model, retain_loader):\n    for images in retain_loader:\n        model(images)\n",
        "(methods/broken.py, line 3: model(images))",
    ),
    "misspelt": (
        "def unlearn(model)\n    return model\n",
        "method file misspelt.py cannot be imported: SyntaxError: expected ':' (misspelt.py, line 1) "
        "(methods/misspelt.py, line 1: def unlearn(model)). Mend it and run again.",
    ),
    "needy": (
        "import no_such_package\n\n\ndef unlearn(model):\n    return model\n",
        "method file needy.py cannot be imported: ModuleNotFoundError: No module named 'no_such_package' "
        "(methods/needy.py, line 1: import no_such_package). If no_such_package is a package, install it",
    ),
    "endless": (
        "def unlearn(model):\n    while True:\n        pass\n",
        "did not end on copy 0",
    ),
    "empty": (
        "",
        "method file empty.py is empty. Write a function into it, such as: def unlearn(model, retain_loader, "
        "forget_loader): ...",
    ),
}  # fmt: skip


def test_what_is_no_method_is_told_how_to_become_one(variants):
    for name, (text, _) in NO_METHODS.items():
        variants.write(f"methods/{name}.py", text)
    try:
        targets = [f"results/check_{name}.json" for name in NO_METHODS]
        text = fails(variants, *targets, "--config", "max_seconds_per_copy=2")
        last = {line.split(" failed its check: ")[0]: line for line in text.splitlines() if "failed its check" in line}
        assert set(last) == set(NO_METHODS)
        for name, (_, said) in NO_METHODS.items():
            assert said in last[name]
            assert f"(results/logs/check_{name}.log)" in last[name]
            assert not variants.path(f"results/check_{name}.json").exists()
        assert "within max_seconds_per_copy (2.0 s)" in last["endless"]
        assert "it was here (methods/endless.py, line" in last["endless"]
        # The leaderboard is another matter.
        assert "Leaderboard" not in text
    finally:
        for name in NO_METHODS:
            variants.path(f"methods/{name}.py").unlink()


def test_a_copy_that_does_not_end_fails_its_job_and_no_other(variants):
    variants.write("methods/endless.py", NO_METHODS["endless"][0])
    try:
        text = fails(variants, "--config", "max_seconds_per_copy=1.5")
        assert "endless failed: method endless did not end on copy 0 (seed " in text
        assert "| failed" in variants.path("results/leaderboard.md").read_text()
        page = variants.path("results/report.html").read_text()
        assert '<th scope="row">endless</th>' in page
        assert "<strong>endless</strong>: method endless did not end on copy 0 (seed " in page
    finally:
        variants.path("methods/endless.py").unlink()


def test_hyper_parameters_are_chosen_on_other_examples_and_the_copies_run_with_them(workflow):
    workflow.only("finetune")
    # Of two rates one does nothing.
    grid = {"epochs": 1, "tune": {"lr": [1.0e-9, 0.1]}}
    workflow.configure(methods={"finetune": grid}, tuning={"copies": 4}, shard_size=8)
    run(workflow, "results/score_finetune.json")

    chosen = read_document(workflow.path("results/tuned/finetune.json"))
    best = max(chosen["points"], key=lambda point: point["final_score"])
    assert score(workflow, "finetune")["tuned"]["options"] == chosen["options"] == best["options"]
    scored, second = (dict(np.load(workflow.path(f"results/{folder}data/split.npz"))) for folder in ("", "tuning/"))
    assert not set(scored["forget"]) & ({*second["forget"]} | {*second["retain"]})
    log = workflow.path("results/logs/unlearn/finetune/0000-0007.log").read_text()
    assert f"chosen hyper-parameters: lr = {chosen['options']['lr']}" in log
