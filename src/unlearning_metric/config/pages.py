"""What records say of data sources and forget strategies, in the page of the configuration.

The names that ``data.source`` and ``forget.strategy`` allow stand in the rows of these keys, and a list of what each
one is between two marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from unlearning_metric.data import SOURCES
from unlearning_metric.data.record import Source
from unlearning_metric.strategies import STRATEGIES

COMMAND = "python -m unlearning_metric.config config/README.md"


def page(text: str) -> str:
    """The page with names and lists as the records have them."""
    text = _names(text, "data.source", SOURCES)
    text = _names(text, "forget.strategy", STRATEGIES)
    text = _list(text, "sources", _sources(SOURCES.values()))
    return _list(text, "strategies", [(name, record.says) for name, record in STRATEGIES.items()])


def _names(text: str, key: str, names: Iterable[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    row = rf"^(\| `{re.escape(key)}` \|[^|]*\| )[^|]*( \|)"
    return re.sub(row, lambda found: f"{found[1]}{listed}{found[2]}", text, flags=re.MULTILINE)


def _sources(records: Iterable[Source]) -> list[tuple[str, str]]:
    """Name and description; sources of one description differ by name alone and are told in one line."""
    lines: dict[str, list[str]] = {}
    for record in records:
        lines.setdefault(record.says, []).append(record.name)
    return [("`, `".join(names), says) for says, names in lines.items()]


def _list(text: str, what: str, lines: Iterable[tuple[str, str]]) -> str:
    begin, end = f"<!-- {what}: written by `{COMMAND}` -->\n", f"<!-- end of the {what} -->\n"
    before, _, rest = text.partition(begin)
    written = "".join(f"- `{name}`: {says}.\n" for name, says in lines)
    return f"{before}{begin}\n{written}\n{end}{rest.partition(end)[2]}"
