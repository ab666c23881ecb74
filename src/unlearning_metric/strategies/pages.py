"""What the records say of the strategies, in the page of the configuration: the names allowed, and a list."""

from __future__ import annotations

import re

from unlearning_metric.strategies import STRATEGIES

BEGIN = "<!-- strategies: written by `python -m unlearning_metric.strategies config/README.md` -->\n"
END = "<!-- end of the strategies -->\n"


def page(text: str) -> str:
    """A page with the list of the strategies between its marks, and their names in the row of ``forget.strategy``."""
    names = ", ".join(f"`{name}`" for name in STRATEGIES)
    text = re.sub(
        r"^(\| `forget\.strategy` \|[^|]*\| )[^|]*( \|)",
        lambda row: f"{row[1]}{names}{row[2]}",
        text,
        flags=re.MULTILINE,
    )
    before, _, rest = text.partition(BEGIN)
    lines = "".join(f"- `{strategy.name}`: {strategy.says}.\n" for strategy in STRATEGIES.values())
    return f"{before}{BEGIN}\n{lines}\n{END}{rest.partition(END)[2]}"
