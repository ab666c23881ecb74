"""How many models a job holds where the configuration leaves it open."""

import pytest

from unlearning_metric import config
from unlearning_metric.plan.shards import stored_size, with_shard_size

RAW = {
    "data": {"source": "digits", "train_size": 300, "test_size": 360, "validation_size": 100},
    "forget": {"strategy": "random", "count": 30},
    "model": {"name": "mlp"},
    "training": {"lr": 0.1, "epochs": 1, "batch_size": 64},
}


def size(monkeypatch, gpus="", **changes):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    return with_shard_size(config.parse({**RAW, **changes}, {})).shard_size


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
    assert stored_size("results") is None
    lies(folder, "results/losses/unlearn/finetune/original_0001/0016-0031.parquet")
    for gpus in ("", "0"):
        assert size(monkeypatch, gpus, copies=64) == size(monkeypatch, gpus, copies=96) == 16
    assert size(monkeypatch, copies=64, results="elsewhere") == 64
    assert size(monkeypatch, copies=64, shard_size=32) == 32


def test_copies_that_the_files_do_not_divide_are_refused_with_what_to_set(monkeypatch, folder):
    lies(folder, "results/models/retain/0000-0063.safetensors")
    with pytest.raises(config.ConfigError, match=r"copies: 96 .*Set copies to 64 or 128"):
        size(monkeypatch, copies=96)
