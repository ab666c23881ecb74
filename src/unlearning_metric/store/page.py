"""HTML with a header."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.store.atomic import write_text
from unlearning_metric.store.header import check_key, checked_header, header_text
from unlearning_metric.store.opening import read_text
from unlearning_metric.store.problems import differs


def write_page(path: Path | str, text: str, header: Mapping[str, Any]) -> None:
    """Write HTML with a header, and a checksum of all of it, in a comment at its end."""
    checksum = hashlib.sha256(text.encode()).hexdigest()[:32]
    write_text(path, f"{text}<!-- {header_text({**header, 'checksum': checksum})} -->\n")


def read_page(path: Path | str, key: str | None = None) -> tuple[str, dict[str, Any]]:
    """HTML that `write_page` wrote, and its header. Raises as `read_npz` does."""
    text, mark, rest = read_text(path).rpartition("<!-- ")
    header = checked_header(path, rest.removesuffix(" -->\n") if mark else None)
    check_key(path, header, key)
    stated, found = header.pop("checksum", None), hashlib.sha256(text.encode()).hexdigest()[:32]
    if stated != found:
        raise differs(path, found, stated)
    return text, header
