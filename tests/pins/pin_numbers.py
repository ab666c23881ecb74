"""Arrays as a few numbers that can be stored, and the comparison of two such records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).with_name("numbers.json")
#: Largest relative difference that other machines make; integers, truths, text and orders are compared exactly.
TOLERANCE = 1e-5
#: Longer arrays are stored as their hash, or as their norm and what they have in common with three waves.
_LONGEST, _WAVES = 16, (0.37, 1.3, 2.9)


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Leaves of nested mappings and lists of mappings by dotted names; lists of plain values are arrays."""
    if isinstance(values, Mapping):
        parts = ((str(key), value) for key, value in values.items())
    elif isinstance(values, list) and any(isinstance(value, (Mapping, list)) for value in values):
        parts = ((str(place), value) for place, value in enumerate(values))
    else:
        return {name: values}
    found: dict[str, Any] = {}
    for key, value in parts:
        found |= flat(value, f"{name}.{key}" if name else key)
    return found


def record(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of named arrays, numbers and texts."""
    return {name: _record(value) for name, value in flat(values).items()}


def _record(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "f":
        listed = array.astype(str).tolist() if array.dtype.kind in "OU" else array.tolist()
        text = json.dumps(listed)
        # A type that is not the stored one is another result: int32 for int64 is not, uint8 for float32 is.
        return listed if array.size <= _LONGEST else hashlib.sha256(text.encode()).hexdigest()[:16]
    numbers = array.astype(np.float64).ravel()
    if numbers.size <= _LONGEST:
        return [_text(number) for number in numbers]
    known = np.where(np.isfinite(numbers), numbers, 0.0)
    places = np.arange(known.size)
    return {
        "shape": list(array.shape),
        "infinite": int((~np.isfinite(numbers)).sum()),
        "norm": _text(np.linalg.norm(known)),
        "waves": [_text(known @ np.cos(1 + wave * places)) for wave in _WAVES],
    }


def _text(number: float) -> float | str:
    return float(f"{number:.9g}") if np.isfinite(number) else str(number)


def same(stored: Any, found: Any) -> bool:
    """Whether two records of one value are equal but for what other machines make of it."""
    if isinstance(stored, dict) and isinstance(found, dict):
        if stored.keys() != found.keys() or any(stored[name] != found[name] for name in ("shape", "infinite")):
            return False
        scale = max(stored["norm"], found["norm"])
        return all(
            abs(one - other) <= TOLERANCE * scale
            for one, other in zip([stored["norm"], *stored["waves"]], [found["norm"], *found["waves"]], strict=True)
        )
    listed = isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found)
    if listed and any(isinstance(value, float) for value in (*stored, *found)):
        scale = max(abs(value) for value in (*stored, *found) if isinstance(value, (int, float)))
        return all(
            one == other or (not isinstance(one, str) and not isinstance(other, str)
                             and abs(one - other) <= TOLERANCE * scale)
            for one, other in zip(stored, found, strict=True)
        )  # fmt: skip
    return stored == found


def moved(stored: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Names of the stored values that are not what they were, those that are gone included."""
    return [name for name, value in stored.items() if name not in found or not same(value, found[name])]


def read() -> dict[str, Any]:
    """Step -> ``version`` and ``cases``: case -> name -> record."""
    return json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
