"""Files of the workflow: written whole or not at all, each with a header that says what it is.

Everything is written under a temporary name in the same folder and renamed, so a killed job leaves no
half-written result. The header carries a checksum of itself, the file one of everything in it, and every reader
verifies both: a single bit that differs anywhere is refused. Nothing is ever unpickled.

Damage is only what a checksum says. Each file is first held against its checksums byte by byte; what goes wrong with
a file that fits them, or while it is opened, is trouble of this machine, and no reason to make it anew. Who made a file
is not known either: sizes are looked at before memory is taken, and only what is a regular file is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from unlearning_metric.store.atomic import write_atomically, write_text
from unlearning_metric.store.document import document_header, read_document, write_document, write_json
from unlearning_metric.store.header import check_key, checked_header, text_checksum
from unlearning_metric.store.models import read_models, safetensors_header, verify_models, write_models
from unlearning_metric.store.npz import npz_header, read_npz, write_npz
from unlearning_metric.store.opening import is_there, opening
from unlearning_metric.store.page import read_page, write_page
from unlearning_metric.store.parquet import (
    arrow_array,
    arrow_categories,
    open_parquet,
    parquet_header,
    read_parquet,
    write_parquet,
)
from unlearning_metric.store.problems import (
    ForeignError,
    OlderVersionError,
    StoreError,
    UnreadableError,
    older_version,
    rebuild_hint,
)
from unlearning_metric.store.seal import SEAL_BYTES, check_seal, seal_place

__all__ = [
    "ForeignError",
    "OlderVersionError",
    "StoreError",
    "UnreadableError",
    "arrow_array",
    "arrow_categories",
    "is_there",
    "older_version",
    "open_parquet",
    "read_document",
    "read_header",
    "read_models",
    "read_npz",
    "read_page",
    "read_parquet",
    "read_stamp",
    "rebuild_hint",
    "stored_key",
    "verify",
    "write_atomically",
    "write_document",
    "write_json",
    "write_models",
    "write_npz",
    "write_page",
    "write_parquet",
    "write_text",
]


def read_header(path: Path | str) -> dict[str, Any]:
    """Header of any file of the workflow, without its content and without torch.

    The Snakefile asks for every file while it is parsed.

    Raises
    ------
    StoreError
        If the header is absent or damaged. The content is not looked at.
    """
    return read_stamp(path)[0]


def read_stamp(path: Path | str) -> tuple[dict[str, Any], str | None]:
    """Header of a file, as `read_header`, and what tells its content from another made under the same key.

    That is the checksum of the arrays or models, or of a document less the record of its run, which files made anew
    from the same things share; of a table or a page, that of the whole file. None where the file states none.
    """
    path = Path(path)
    if path.suffix == ".json":
        document = read_document(path)
        provenance = {name: value for name, value in document["provenance"].items() if name != "run"}
        return document_header(document), text_checksum({**document, "provenance": provenance})
    if path.suffix == ".html":
        text, header = read_page(path)
        return header, hashlib.sha256(text.encode()).hexdigest()[:32]
    with opening(path) as stream:
        header = checked_header(path, _HEADER_TEXTS[path.suffix](path, stream))
        checksum = header.pop("checksum", None)
        if path.suffix == ".parquet":
            stream.seek(max(0, seal_place(stream, path.suffix, SEAL_BYTES)))
            checksum = stream.read(SEAL_BYTES).decode(errors="replace")
    return header, checksum


def stored_key(path: Path | str) -> str | None:
    """Key in the header of a file; None where there is no readable one."""
    try:
        return read_header(path)["key"]
    except (OSError, StoreError):
        return None


def verify(path: Path | str, key: str | None = None) -> None:
    """Hold every byte of a file against what it says of itself, in little memory. Raises as `read_npz` does."""
    path = Path(path)
    if path.suffix in _HEADER_TEXTS and path.suffix != ".safetensors":
        check_seal(path)
        check_key(path, read_header(path), key)
    else:
        whole: dict[str, Callable[..., Any]] = {
            ".safetensors": verify_models,
            ".json": read_document,
            ".html": read_page,
        }
        whole[path.suffix](path, key)


_HEADER_TEXTS: dict[str, Callable[[Path, BinaryIO], str | None]] = {
    ".npz": npz_header,
    ".safetensors": safetensors_header,
    ".parquet": parquet_header,
}
