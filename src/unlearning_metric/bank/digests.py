"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digests(content: bytes | Path) -> tuple[str, int]:
    """sha256 in hexadecimal, and bytes, of a content or of the file that holds it."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest(), len(content)
    with open(content, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), content.stat().st_size
