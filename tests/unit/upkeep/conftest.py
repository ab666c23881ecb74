"""A small plan whose files can be put into a results folder without a run."""

import pytest

from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan

SMALL = {
    "copies": 4,
    "shard_size": 2,
    "data": {"source": "digits"},
    "forget": {"strategy": "random", "count": 5},
    "model": {"name": "mlp"},
    "training": {"lr": 0.1, "epochs": 1, "batch_size": 8},
}


@pytest.fixture
def make_plan(tmp_path):
    """``make_plan(**changes)``: the plan of a configuration with one method, ``mine``."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text("def unlearn(model):\n    return model\n")

    def make(**changes):
        methods = find_methods(tmp_path / "methods")
        return Plan(config.parse({**SMALL, **changes}, methods), methods)

    return make
