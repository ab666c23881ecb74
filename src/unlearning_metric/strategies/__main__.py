"""`python -m unlearning_metric.strategies config/README.md`: the list of strategies, written into the page."""

import sys
from pathlib import Path

from unlearning_metric.strategies.pages import page

if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
