"""`python -m unlearning_metric.config` prints the JSON schema of the configuration.

With the page as its argument, `python -m unlearning_metric.config config/README.md`, it writes the lists of data
sources and forget strategies into it.
"""

import json
import sys
from pathlib import Path

from unlearning_metric.config.pages import page
from unlearning_metric.config.schema import json_schema

if len(sys.argv) > 1:
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
else:
    print(json.dumps(json_schema(), indent=2, sort_keys=True))
