"""The header of a file: what it was made from, with a checksum of itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.store.problems import ForeignError, StoreError, damaged, named_error, older_version

HEADER = "unlearning_metric"


def header_text(header: Mapping[str, Any]) -> str:
    """Header as text, with a checksum of itself."""
    return json.dumps({**header, "header_checksum": text_checksum(header)})


def text_checksum(value: Mapping[str, Any]) -> str:
    """Checksum of a value that JSON knows, whatever the order of its mappings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def checked_header(path: Path | str, text: str | None) -> dict[str, Any]:
    """Header from its text, checked against its own checksum; with the types that every reader relies on."""
    if text is None:
        raise ForeignError(f"{path} has no header: it was not written by this workflow. Delete it and run again.")
    try:
        header = json.loads(text)
        if isinstance(header, dict) and "key" in header and "header_checksum" not in header:
            raise older_version(path, "has no checksum of its header")
        stated = header.pop("header_checksum")
        sound = stated == text_checksum(header) and text == header_text(header)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"its header is {named_error(error)}") from error
    if not sound:
        raise damaged(path, "its header does not fit the header's checksum")
    check_header(path, header)
    return header


def check_header(path: Path | str, header: Mapping[str, Any]) -> None:
    """Refuse a header that says less, or something else, than this workflow writes into every one."""
    origin = header.get("origin")
    parts = [origin.get(name, {}) for name in ("settings", "inputs")] if isinstance(origin, dict) else []
    wrong = [
        name
        for name, fits in {
            "key": isinstance(header.get("key"), str),
            "origin": origin is None or (isinstance(origin, dict) and all(isinstance(part, dict) for part in parts)),
            "run": isinstance(header.get("run", {}), dict),
            "made_from": isinstance(header.get("made_from", {}), dict),
            "models": _are_numbers(header.get("models", [])),
        }.items()
        if not fits
    ]
    if wrong:
        raise ForeignError(
            f"{path} was not written by this workflow: its header lacks a valid {' and '.join(wrong)}. Delete it and "
            "run again."
        )


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)


def check_key(path: Path | str, header: Mapping[str, Any], key: str | None) -> None:
    """Refuse a file that was made from something else than the key says, where a key is given."""
    if key is not None and header.get("key") != key:
        raise StoreError(
            f"{path} was made from another configuration, version or data: its key is {header.get('key')}, "
            f"this run needs {key}. Delete it, or name another results folder, and run again."
        )
