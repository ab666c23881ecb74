"""The benchmark for GPUs runs without one, so that its first run on a card does not fail on a name."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "gpu.py"


def test_a_case_runs_dry(capsys):
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.measure("digits_cnn", "cpu", True)
    assert "images a second: loop " in capsys.readouterr().out
