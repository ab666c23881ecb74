"""Files of results as a job is told of them: where they lie, and the key that their headers must carry."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Stored(NamedTuple):
    """A file; its readers take both, such as ``read_npz(*dataset)``. ``key`` is None where any will do."""

    path: Path | str
    key: str | None


class StoredFiles(NamedTuple):
    """Files of one key, in order."""

    paths: list[str]
    key: str | None
