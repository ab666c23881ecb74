"""Prints the JSON schema of the configuration: `python -m unlearning_metric.config`."""

import json

from unlearning_metric.config.schema import json_schema

print(json.dumps(json_schema(), indent=2, sort_keys=True))
