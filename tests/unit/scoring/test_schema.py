"""The schema of the score document that is committed is the one of the code."""

import json
from pathlib import Path

from unlearning_metric.scoring.schema import json_schema

SCHEMA = Path(__file__).resolve().parents[3] / "workflow" / "schemas" / "score.schema.json"


def test_the_committed_schema_is_current():
    assert json.loads(SCHEMA.read_text()) == json_schema(), (
        f"run: python -m unlearning_metric.scoring.schema > {SCHEMA.relative_to(SCHEMA.parents[2])}"
    )
