"""A small plan whose files can be put into a results folder without a run."""

import pytest

from unlearning_metric import config
from unlearning_metric.plan.plan import Plan, find_methods

SMALL = {
    "copies": 4,
    "shard_size": 2,
    "data": {"source": "digits"},
    "forget": {"strategy": "random", "count": 5},
    "model": {"name": "mlp"},
    "training": {"lr": 0.1, "epochs": 1, "batch_size": 8},
}
RULES = ("prepare_data", "split_data", "train", "unlearn", "check", "dump_losses", "score", "leaderboard", "report",
         "import_dump", "import_original", "difficulty")  # fmt: skip


@pytest.fixture
def make_plan(tmp_path):
    """``make_plan(**changes)``: the plan of a configuration with one method, ``mine``."""
    for folder in ("methods", "scripts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "methods" / "mine.py").write_text("def unlearn(model):\n    return model\n")
    for rule in RULES:
        (tmp_path / "scripts" / f"{rule}.py").write_text("pass\n")

    def make(**changes):
        methods = find_methods(tmp_path / "methods")
        return Plan(config.parse({**SMALL, **changes}, methods), methods, tmp_path / "scripts")

    return make
