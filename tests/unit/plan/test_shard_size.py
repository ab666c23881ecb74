"""How many models a job should hold."""

import re
from pathlib import Path

import pytest
import torch

from unlearning_metric.__main__ import main
from unlearning_metric.plan.shard_size import LARGEST_SHARE, USED, advise, measured_model_seconds
from unlearning_metric.store.files import write_models
from unlearning_metric.store.shards import shard_names

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("copies", [64, 100, 512])
@pytest.mark.parametrize("model_seconds", [0.3, 3.0, 34.0, 600.0])
@pytest.mark.parametrize("start_seconds", [5.0, 12.0])
def test_it_is_the_smallest_divisor_that_meets_both_conditions(copies, model_seconds, start_seconds):
    found = advise(copies, model_seconds, start_seconds, 720)

    def good(size):
        seconds = start_seconds + size * model_seconds
        return start_seconds < LARGEST_SHARE * seconds and seconds <= USED * 720 * 60

    sizes = [size for size in range(1, copies + 1) if copies % size == 0]
    assert found.fits == any(map(good, sizes))
    if found.fits:
        assert found.size == min(filter(good, sizes))
        assert found.share < LARGEST_SHARE
    assert shard_names(copies, found.size)
    assert found.share * found.minutes * 60 == pytest.approx(start_seconds)


def test_a_model_that_takes_longer_than_a_job_may_is_alone_and_does_not_fit():
    found = advise(64, 7200, 10, 60)
    assert (found.size, found.fits) == (1, False)


def test_tiny_models_fill_a_job_as_far_as_there_are_models():
    found = advise(8, 0.01, 10, 60)
    assert (found.size, found.fits) == (8, False)
    assert found.least == 19001


def test_on_a_gpu_the_largest_job_within_half_of_the_time_limit():
    assert advise(512, 3.2, 10, 60).size == 64
    assert advise(512, 3.2, 10, 60, side_by_side=True).size == 512
    assert advise(512, 3.2, 10, 30, side_by_side=True).size == 256


@pytest.mark.parametrize("name", ["model_seconds", "start_seconds", "runtime"])
def test_times_that_are_none_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        advise(**{"copies": 8, "model_seconds": 1, "start_seconds": 1, "runtime": 1, name: 0})


def test_the_command_says_it_for_a_configuration(capsys):
    status = main(
        ["shard-size", "--workflow", str(ROOT), "--model-seconds", "2", "--start-seconds", "5", "--runtime", "30"]
    )  # fmt: skip
    assert status == 0
    # 64 copies by default, 48 models or more for 5 %.
    assert capsys.readouterr().out.startswith("shard_size: 64\n")


def test_the_command_says_it_for_a_gpu(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    given = ["--model-seconds", "3", "--start-seconds", "5", "--results", str(tmp_path)]
    assert main(["shard-size", "--workflow", str(ROOT), *given, "--runtime", "30"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("shard_size: 64\n")
    assert "On a GPU the models of a job train side by side" in out


def test_the_command_says_how_to_measure_a_model(capsys, tmp_path):
    status = main(["shard-size", "--workflow", str(ROOT), "--results", str(tmp_path)])
    assert status == 2
    assert f"snakemake {tmp_path}/models/full/0000-0000.safetensors" in capsys.readouterr().err


def test_only_models_of_this_configuration_tell_their_time(tmp_path):
    def model(group, key, seconds):
        header = {"key": key, "models": [0], "run": {"seconds": seconds}}
        write_models(tmp_path / f"models/{group}/0000-0000.safetensors", {0: {"w": torch.zeros(1)}}, header)

    keys = {"full": "k", "retain": "r"}
    model("full", "another", [9.0])
    assert measured_model_seconds(tmp_path, keys) is None
    model("retain", "r", [2.0, 3.0, 5.0, 40.0])
    assert measured_model_seconds(tmp_path, keys) == 4.0
    model("full", "k", [1.5])
    assert measured_model_seconds(tmp_path, keys) == 1.5


def test_a_damaged_model_is_named(capsys, tmp_path):
    (tmp_path / "models/full").mkdir(parents=True)
    (tmp_path / "models/full/0000-0000.safetensors").write_bytes(b"")
    assert main(["shard-size", "--workflow", str(ROOT), "--results", str(tmp_path)]) == 2
    assert "0000-0000.safetensors is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ("0.04", "All 64 models in one job would not keep starting under 5 %"),
        ("1000", "Raise the runtime of the rules in the profile"),
        ("90", None),
    ],
)
def test_what_does_not_fit_is_told_with_what_helps(capsys, seconds, said):
    main(
        ["shard-size", "--workflow", str(ROOT), "--model-seconds", seconds, "--start-seconds", "10", "--runtime", "30"]
    )
    out = capsys.readouterr().out
    assert (said in out) if said else len(out.splitlines()) == 2


@pytest.mark.parametrize("option", ["--model-seconds", "--start-seconds"])
@pytest.mark.parametrize("seconds", ["inf", "nan", "0"])
def test_seconds_that_are_none_are_refused(capsys, option, seconds):
    with pytest.raises(SystemExit):
        main(["shard-size", "--workflow", str(ROOT), option, seconds])
    assert f"argument {option}: {seconds} is not" in capsys.readouterr().err


def test_a_job_longer_than_the_rules_ask_for_is_told_with_what_to_set(capsys):
    given = ["--model-seconds", "13900", "--start-seconds", "10", "--runtime", "480"]
    main(["shard-size", "--workflow", str(ROOT), *given])
    out = capsys.readouterr().out
    assert "The rules ask a cluster for 40 min for such a job" in out
    assert "train_retain: {runtime: 480}" in out


def test_the_table_of_the_cluster_page_is_what_the_formula_gives():
    rows = re.findall(
        r"^\| [^|]+\| ([\d.,]+) s[^|]*\| ([\d.]+) s \| (\d+) \| (\d+) \| ([\d.]+) % \| ([\d.]+) min \| (\d+) min \|$",
        (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8"), re.MULTILINE,
    )  # fmt: skip
    assert len(rows) >= 4
    for each, start, copies, size, share, minutes, runtime in rows:
        found = advise(int(copies), float(each.replace(",", "")), float(start), float(runtime))
        assert (found.size, found.fits) == (int(size), True)
        assert 100 * found.share == pytest.approx(float(share), abs=0.051)
        assert found.minutes == pytest.approx(float(minutes), abs=0.51)
