"""How many models a job holds where the configuration leaves it open."""

import pytest

from unlearning_metric import config
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.shards import planned_shards, stored_shards

RAW = {
    "data": {"source": "digits", "train_size": 300, "test_size": 360, "validation_size": 100},
    "forget": {"strategy": "random", "count": 30},
    "model": {"name": "mlp"},
    "training": {"lr": 0.1, "epochs": 1, "batch_size": 64},
}


def size(monkeypatch, gpus="", **changes):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    return planned_shards(config.parse({**RAW, **changes}, {}))[0].shard_size


def shards(**changes):
    return planned_shards(config.parse({**RAW, **changes}, {}))[1]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lies(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


@pytest.mark.parametrize(("copies", "cpu", "gpu"), [(64, 64, 64), (512, 64, 512), (100, 50, 100), (8, 8, 8)])
def test_a_gpu_gets_all_models_and_a_cpu_64_at_most(monkeypatch, copies, cpu, gpu):
    assert size(monkeypatch, copies=copies) == cpu
    assert size(monkeypatch, "0", copies=copies) == gpu
    assert size(monkeypatch, "0", copies=copies, device="cpu") == cpu
    assert size(monkeypatch, "0", copies=copies, shard_size=4) == 4


def test_files_that_are_there_decide(monkeypatch, folder):
    lies(folder, "results/models/full/0000-0000.safetensors", "results/models/retain/.0000-0001.safetensors.tmp")
    assert stored_shards("results") == []
    lies(folder, "results/losses/unlearn/finetune/original_0001/0016-0031.parquet")
    for gpus in ("", "0"):
        assert size(monkeypatch, gpus, copies=64) == size(monkeypatch, gpus, copies=96) == 16
    assert size(monkeypatch, copies=64, results="elsewhere") == 64
    assert size(monkeypatch, copies=64, shard_size=32) == 32


def test_any_number_of_copies_may_be_added_to_those_that_are_there(folder):
    lies(folder, "results/models/retain/0000-0063.safetensors")
    assert shards(copies=64) == ["0000-0063"]
    assert shards(copies=96) == ["0000-0063", "0064-0095"]
    lies(folder, "results/losses/retain/0064-0095.parquet")
    assert shards(copies=200) == ["0000-0063", "0064-0095", "0096-0159", "0160-0199"]
    # Back again, and what is missing before files that are there.
    assert shards(copies=64) == ["0000-0063"]
    lies(folder, "results/models/retain/0096-0159.safetensors")
    (folder / "results/losses/retain/0064-0095.parquet").unlink()
    assert shards(copies=200) == ["0000-0063", "0064-0095", "0096-0159", "0160-0199"]


def test_a_plan_of_uneven_shards_is_the_same_in_a_job_and_refuses_none_of_its_files(folder):
    lies(folder, "results/models/retain/0000-0063.safetensors", "results/losses/retain/0064-0095.parquet")
    plan = Plan(config.parse({**RAW, "copies": 96}, {}), {})
    again = Plan.recorded(plan.record())
    assert again.shards == plan.shards == ["0000-0063", "0064-0095"]
    assert plan.model_files("retain") == [f"models/retain/{shard}.safetensors" for shard in plan.shards]
    assert plan.other_shard_sizes("results") == []
    lies(folder, "results/models/unlearn/mine/0000-0015.safetensors")
    assert plan.other_shard_sizes("results") == ["models/unlearn/mine/0000-0015.safetensors"]


def test_copies_that_would_cut_a_file_are_refused_with_what_to_set(folder):
    lies(folder, "results/models/retain/0000-0063.safetensors", "results/models/retain/0064-0127.safetensors")
    with pytest.raises(config.ConfigError, match=r"copies: 96 .*Set copies to 64 or 128"):
        shards(copies=96)
    with pytest.raises(config.ConfigError, match=r"copies: 32 .*Set copies to 64, or"):
        shards(copies=32)
    # With a number of the user's, the files do not decide.
    assert shards(copies=96, shard_size=32) == ["0000-0031", "0032-0063", "0064-0095"]
