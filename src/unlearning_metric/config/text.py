"""What messages are made of: values and keys the way a reader wrote them, and the nearest of some names."""

import difflib
import json
from collections.abc import Iterable
from typing import Any

from unlearning_metric.errors import UserError

#: Problems that a message lists: whoever has more has one of a kind.
MOST_LISTED = 100


class ConfigError(UserError, ValueError):
    """A configuration that cannot be used. `str()` is the whole message, ready to print."""


def listed(what: str, problems: list[str]) -> ConfigError:
    """One error of several problems; ``what`` begins its message, such as ``config/config.yaml has``."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"  - {problem}" for problem in problems[:MOST_LISTED]]
    if len(problems) > MOST_LISTED:
        lines.append(f"  and {len(problems) - MOST_LISTED} more")
    return ConfigError("\n".join([f"{what} {count}:", *lines]))


def closest(name: str, choices: Iterable[str]) -> str | None:
    by_lower = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[matches[0]] if matches else None


def dotted(location: tuple[Any, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def shown(value: Any) -> str:
    """A value the way it looks in YAML, cut to a readable length."""
    text = json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
