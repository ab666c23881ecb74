"""Files of the workflow: written whole or not at all, each with a header that says what it is.

Everything is written under a temporary name in the same folder and renamed, so a killed job leaves no
half-written result. The header carries a checksum of itself, the file one of everything in it, and every reader
verifies both: a single bit that differs anywhere is refused. Nothing is ever unpickled.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import mmap
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unlearning_metric.errors import UserError

HEADER = "unlearning_metric"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StoreError(UserError, RuntimeError):
    """A file is damaged, or does not belong to this run."""


def write_atomically(path: Path | str, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary path)``, flush to disk, then rename to ``path``.

    Raises
    ------
    StoreError
        If the disk is full. What stood under ``path`` stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files private; results are meant to be shared as far as the umask allows.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        # What killed jobs left behind of this very file.
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            left.unlink(missing_ok=True)
    except Exception as error:
        # Each library wraps the system's error in one of its own.
        if getattr(error, "errno", None) in _FULL or "No space left" in str(error):
            raise StoreError(
                f"{path} cannot be written: the disk that holds {path.parent} is full. Nothing that was there is "
                "lost. Make room, then run again; only what is missing is made."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def rebuild_hint(path: Path | str) -> str:
    """How a user replaces one file, and it alone."""
    return f"To make it anew, and nothing else: snakemake --force {path}"


def _header_text(header: Mapping[str, Any]) -> str:
    """Header as text, with a checksum of itself."""
    return json.dumps({**header, "header_checksum": _text_checksum(header)})


def _text_checksum(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _opened(path: Path | str, text: str | None) -> dict[str, Any]:
    """Header from its text, checked against its own checksum."""
    if text is None:
        raise StoreError(f"{path} has no header: it was not written by this workflow. Delete it and run again.")
    try:
        header = json.loads(text)
        stated = header.pop("header_checksum")
    except Exception as error:
        raise _damaged(path, error) from error
    if stated != _text_checksum(header) or text != _header_text(header):
        raise StoreError(f"{path} is damaged: its header does not fit the header's checksum. {rebuild_hint(path)}")
    return header


def _check_key(path: Path | str, header: Mapping[str, Any], key: str | None) -> None:
    if key is not None and header.get("key") != key:
        raise StoreError(
            f"{path} was made from another configuration, code or data: its key is {header.get('key')}, "
            f"this run needs {key}. Delete it, or name another results folder, and run again."
        )


def _differs(path: Path | str, found: str, stated: str | None) -> StoreError:
    return StoreError(
        f"{path} is damaged: the checksum of its content is {found}, the file says {stated}. {rebuild_hint(path)}"
    )


def _damaged(path: Path | str, error: Exception) -> StoreError:
    return StoreError(f"{path} cannot be read ({type(error).__name__}: {error}). {rebuild_hint(path)}")


# The checksum of an npz or parquet file covers every byte of it but those of the checksum, since both formats have
# fields that no reader looks at. It stands where neither format minds: an npz is a zip, which may end with a comment;
# a parquet file is found from its end, so there may be a gap before its footer.
_SEAL_BYTES = 32


def _seal_place(stream: BinaryIO, suffix: str, seal_bytes: int) -> int:
    """Offset of the checksum in a file that holds ``seal_bytes`` of it."""
    end = stream.seek(0, os.SEEK_END)
    if suffix == ".npz":
        return end - seal_bytes
    stream.seek(max(0, end - 8))
    footer = int.from_bytes(stream.read(4), "little")
    return end - 8 - footer - seal_bytes


def _digest(stream: BinaryIO, place: int, seal_bytes: int) -> str:
    """Checksum of a file without the ``seal_bytes`` at ``place``."""
    content = hashlib.sha256()
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        for part in (view[:place], view[place + seal_bytes :]):
            content.update(part)
            part.release()
    return content.hexdigest()[:_SEAL_BYTES]


def _seal(temporary: Path, suffix: str) -> None:
    """Put its checksum into a file that a library has just written."""
    with open(temporary, "r+b") as stream:
        if suffix == ".npz":
            stream.seek(-2, os.SEEK_END)
            stream.write(_SEAL_BYTES.to_bytes(2, "little"))
            stream.flush()
        place = _seal_place(stream, suffix, 0)
        seal = _digest(stream, place, 0).encode()
        stream.seek(place)
        rest = stream.read()
        stream.seek(place)
        stream.write(seal + rest)


def _check_seal(path: Path | str) -> None:
    try:
        with open(path, "rb") as stream:
            place = _seal_place(stream, Path(path).suffix, _SEAL_BYTES)
            stated = b""
            if place >= 0:
                stream.seek(place)
                stated = stream.read(_SEAL_BYTES)
            if re.fullmatch(rb"[0-9a-f]{%d}" % _SEAL_BYTES, stated) is None:
                raise StoreError(
                    f"{path} has no checksum: it is damaged, or was not written by this workflow. {rebuild_hint(path)}"
                )
            found = _digest(stream, place, _SEAL_BYTES)
    except OSError as error:
        raise _damaged(path, error) from error
    if found != stated.decode():
        raise _differs(path, found, stated.decode())


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and a JSON header as one compressed npz."""
    payload = {**arrays, HEADER: np.array(_header_text(header))}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez_compressed(stream, **payload)
        _seal(temporary, ".npz")

    write_atomically(path, write)


def read_npz(path: Path | str, key: str | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and header of an npz.

    Raises
    ------
    StoreError
        If the file is damaged, has no header, or ``key`` is given and differs.
    """
    _check_seal(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise _damaged(path, error) from error
    text = arrays.pop(HEADER, None)
    header = _opened(path, None if text is None else str(text))
    _check_key(path, header, key)
    return arrays, header


def write_models(path: Path | str, states: Mapping[int, Mapping[str, Any]], header: Mapping[str, Any]) -> None:
    """Write the state dicts of several models, by model index, as one safetensors file.

    Tensors that share memory, as tied weights do, are written each.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    seen = set()
    for index, state in states.items():
        for name, tensor in state.items():
            own = tensor.detach().to("cpu").contiguous()
            place = own.untyped_storage().data_ptr()
            tensors[f"{index:04d}/{name}"] = own.clone() if place in seen else own
            seen.add(place)
    metadata = {HEADER: _header_text({**header, "checksum": _tensor_checksum(tensors)})}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def _tensor_checksum(tensors: Mapping[str, Any]) -> str:
    """Checksum of named tensors, whatever their type (numpy knows no bfloat16). The format itself has no gaps."""
    import torch

    content = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        content.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        content.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return content.hexdigest()[:32]


def read_models(path: Path | str, key: str | None = None) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """State dicts by model index, and the header. Raises as `read_npz` does."""
    from safetensors import safe_open

    states: dict[int, dict[str, Any]] = {}
    tensors: dict[str, Any] = {}
    try:
        with safe_open(path, framework="pt") as archive:
            metadata = archive.metadata() or {}
            for name in archive.keys():  # noqa: SIM118 (not a mapping)
                index, tensor_name = name.split("/", 1)
                tensors[name] = states.setdefault(int(index), {})[tensor_name] = archive.get_tensor(name)
    except Exception as error:
        raise _damaged(path, error) from error
    header = _opened(path, metadata.get(HEADER))
    _check_key(path, header, key)
    stated, found = header.pop("checksum", None), _tensor_checksum(tensors)
    if stated != found:
        raise _differs(path, found, stated)
    if sorted(states) != header["models"]:
        raise StoreError(f"{path} holds models {sorted(states)}, its header says {header['models']}. Delete it.")
    return dict(sorted(states.items())), header


def arrow_array(values: Any) -> Any:
    """What ``pyarrow.array`` makes of a numpy array, without its import of pandas: 0.7 s of a job that needs none.

    What is no array of numbers or truths is returned as it is.
    """
    import pyarrow as pa

    # A subclass may hold more, as a mask.
    simple = type(values) is np.ndarray and values.ndim == 1 and values.dtype.isnative
    if not simple or values.dtype.kind not in "biuf":
        return values
    # Arrow holds eight truths a byte.
    content = np.packbits(values, bitorder="little") if values.dtype.kind == "b" else np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(content)])


def arrow_categories(codes: np.ndarray, names: Sequence[str]) -> Any:
    """``names[codes]`` as a pyarrow.DictionaryArray; without pandas, as `arrow_array`."""
    import pyarrow as pa

    encoded = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    words = pa.StringArray.from_buffers(len(names), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))
    return pa.DictionaryArray.from_arrays(arrow_array(codes), words)


def write_parquet(path: Path | str, columns: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Write columns (arrays of one length) and a JSON header as one parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: arrow_array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({HEADER: _header_text(header)})

    def write(temporary: Path) -> None:
        pq.write_table(table, temporary, compression="zstd")
        _seal(temporary, ".parquet")

    write_atomically(path, write)


def read_parquet(path: Path | str, key: str | None = None):
    """A pandas frame and the header of a parquet file. Raises as `read_npz` does."""
    read, names, header = open_parquet(path, key)
    import pyarrow as pa

    return pa.table({name: read(name) for name in names}).to_pandas(), header


def open_parquet(path: Path | str, key: str | None = None) -> tuple[Callable[[str], Any], list[str], dict[str, Any]]:
    """A parquet file of which only some columns are wanted, one after another: they may not all fit in memory.

    Returns
    -------
    read : name of a column -> pyarrow.ChunkedArray
    names : of the columns
    header

    Raises
    ------
    StoreError
        As `read_npz`; ``read`` too, where a column cannot be read.
    """
    import pyarrow.parquet as pq

    _check_seal(path)

    def read(name: str) -> Any:
        try:
            return pq.read_table(path, columns=[name], use_threads=False)[name]
        except Exception as error:
            raise _damaged(path, error) from error

    try:
        schema = pq.read_schema(path)
    except Exception as error:
        raise _damaged(path, error) from error
    text = (schema.metadata or {}).get(HEADER.encode())
    header = _opened(path, None if text is None else text.decode(errors="replace"))
    _check_key(path, header, key)
    return read, schema.names, header


def read_header(path: Path | str) -> dict[str, Any]:
    """Header of any file of the workflow, without its content and without torch.

    The Snakefile asks for every file while it is parsed.

    Raises
    ------
    StoreError
        If the header is absent or damaged. The content is not looked at.
    """
    path = Path(path)
    if path.suffix == ".json":
        return _document_header(read_document(path))
    if path.suffix == ".html":
        return read_page(path)[1]
    try:
        text = _HEADER_TEXTS[path.suffix](path)
    except Exception as error:
        raise _damaged(path, error) from error
    header = _opened(path, text)
    header.pop("checksum", None)
    return header


def stored_key(path: Path | str) -> str | None:
    """Key in the header of a file; None where there is no readable one."""
    try:
        return read_header(path).get("key")
    except (OSError, StoreError):
        return None


def verify(path: Path | str, key: str | None = None) -> None:
    """Read a file whole and check everything that it says of itself. Raises as `read_npz` does."""
    {
        ".npz": read_npz,
        ".safetensors": read_models,
        ".parquet": read_parquet,
        ".json": read_document,
        ".html": read_page,
    }[Path(path).suffix](path, key)


def _npz_header(path: Path) -> str | None:
    with np.load(path, allow_pickle=False) as archive:
        return str(archive[HEADER]) if HEADER in archive.files else None


def _safetensors_header(path: Path) -> str | None:
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("truncated")
        return json.loads(stream.read(length)).get("__metadata__", {}).get(HEADER)


def _parquet_header(path: Path) -> str | None:
    import pyarrow.parquet as pq

    text = (pq.read_schema(path).metadata or {}).get(HEADER.encode())
    return None if text is None else text.decode(errors="replace")


_HEADER_TEXTS: dict[str, Callable[[Path], str | None]] = {
    ".npz": _npz_header,
    ".safetensors": _safetensors_header,
    ".parquet": _parquet_header,
}


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_page(path: Path | str, text: str, header: Mapping[str, Any]) -> None:
    """Write HTML with a header, and a checksum of all of it, in a comment at its end."""
    checksum = hashlib.sha256(text.encode()).hexdigest()[:32]
    write_text(path, f"{text}<!-- {_header_text({**header, 'checksum': checksum})} -->\n")


def read_page(path: Path | str, key: str | None = None) -> tuple[str, dict[str, Any]]:
    """HTML that `write_page` wrote, and its header. Raises as `read_npz` does."""
    try:
        text, mark, rest = Path(path).read_text(encoding="utf-8").rpartition("<!-- ")
    except FileNotFoundError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    header = _opened(path, rest.removesuffix(" -->\n") if mark else None)
    _check_key(path, header, key)
    stated, found = header.pop("checksum", None), hashlib.sha256(text.encode()).hexdigest()[:32]
    if stated != found:
        raise _differs(path, found, stated)
    return text, header


def write_json(path: Path | str, document: Any) -> None:
    """Write a value as indented JSON with sorted keys. NaN and infinity are refused: they are no JSON."""
    write_text(path, _json_text(document))


def _json_text(document: Any) -> str:
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_document(path: Path | str, document: Mapping[str, Any]) -> None:
    """Write a JSON document whose ``provenance`` holds ``key``, ``origin`` and ``run``.

    The checksum of all of it is added to ``provenance.run``, which no canonical form contains.
    """
    provenance = document["provenance"]
    run = {**provenance["run"], "checksum": _text_checksum(document)}
    write_json(path, {**document, "provenance": {**provenance, "run": run}})


def read_document(path: Path | str, key: str | None = None) -> dict[str, Any]:
    """A document that `write_document` wrote, as it was given. Raises as `read_npz` does."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = json.loads(text)
        if text != _json_text(document):
            raise ValueError("the text is not as this workflow writes it")
    except FileNotFoundError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    try:
        stated = document["provenance"]["run"].pop("checksum")
    except (KeyError, TypeError, AttributeError):
        raise StoreError(
            f"{path} has no checksum: it was not written by this workflow, or by an older version. {rebuild_hint(path)}"
        ) from None
    if stated != _text_checksum(document):
        raise StoreError(f"{path} is damaged or was edited: it does not fit its checksum. {rebuild_hint(path)}")
    _check_key(path, _document_header(document), key)
    return document


def _document_header(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document["provenance"].get(name) for name in ("key", "origin")}
