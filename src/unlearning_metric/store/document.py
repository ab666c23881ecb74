"""JSON documents, whose provenance is their header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.store.atomic import write_text
from unlearning_metric.store.header import check_header, check_key, text_checksum
from unlearning_metric.store.opening import read_text
from unlearning_metric.store.problems import ForeignError, StoreError, damaged, named_error, older_version, rebuild_hint


def write_json(path: Path | str, document: Any) -> None:
    """Write a value as indented JSON with sorted keys. NaN and infinity are refused: they are no JSON."""
    write_text(path, _json_text(document))


def _json_text(document: Any) -> str:
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_document(path: Path | str, document: Mapping[str, Any]) -> None:
    """Write a JSON document whose ``provenance`` holds ``key``, ``origin``, ``code`` and ``run``.

    What it was made from is kept in ``provenance.run``, which no canonical form contains, and the checksum of all of it
    is added there.
    """
    provenance = dict(document["provenance"])
    run = dict(provenance["run"])
    if "made_from" in provenance:
        run["made_from"] = provenance.pop("made_from")
    document = {**document, "provenance": {**provenance, "run": run}}
    run = {**run, "checksum": text_checksum(document)}
    write_json(path, {**document, "provenance": {**provenance, "run": run}})


def read_document(path: Path | str, key: str | None = None) -> dict[str, Any]:
    """A document that `write_document` wrote, as it was given. Raises as `read_npz` does."""
    text = read_text(path)
    try:
        document = json.loads(text)
        as_written = text == _json_text(document)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it is no JSON ({named_error(error)})") from error
    try:
        stated = document["provenance"]["run"].pop("checksum")
    except (KeyError, TypeError, AttributeError):
        provenance = document.get("provenance") if isinstance(document, dict) else None
        if isinstance(provenance, dict) and "key" in provenance:
            raise older_version(path, "has no checksum") from None
        raise ForeignError(
            f"{path} has no checksum: it was not written by this workflow. {rebuild_hint(path)}"
        ) from None
    if not as_written or stated != text_checksum(document):
        raise StoreError(f"{path} is damaged or was edited: it does not fit its checksum. {rebuild_hint(path)}")
    header = document_header(document)
    check_header(path, header)
    check_key(path, header, key)
    return document


def document_header(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a document says of itself, as the header of another file does."""
    provenance = document["provenance"]
    header = {name: provenance.get(name) for name in ("key", "origin", "code")}
    made_from = (provenance.get("run") or {}).get("made_from")
    return header if made_from is None else {**header, "made_from": made_from}
