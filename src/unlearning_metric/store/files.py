"""Files of the workflow: written whole or not at all, each with a header that says what it is.

Everything is written under a temporary name in the same folder and renamed, so a killed job leaves no
half-written result. The header carries a checksum of itself, the file one of everything in it, and every reader
verifies both: a single bit that differs anywhere is refused. Nothing is ever unpickled.

Damage is only what a checksum says. Each file is first held against its checksums byte by byte; what goes wrong with
a file that fits them, or while it is opened, is trouble of this machine, and no reason to make it anew. Who made a file
is not known either: sizes are looked at before memory is taken, and only what is a regular file is opened.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import mmap
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unlearning_metric.errors import UserError
from unlearning_metric.host.memory import too_large

HEADER = "unlearning_metric"
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Beyond them a header, or a document or page, is none of ours. The first is what safetensors allows.
HEADER_BYTES = 100_000_000
TEXT_BYTES = 500_000_000


class StoreError(UserError, RuntimeError):
    """A file is damaged, or does not belong to this run; ``kind`` is how the doctor calls that."""

    kind = "damaged"


class UnreadableError(StoreError):
    """A file could not be read here and now. It may be sound."""

    kind = "unreadable"


class ForeignError(StoreError):
    """Something lies in the place of a file that this workflow did not write there."""

    kind = "foreign"


class OlderVersionError(ForeignError):
    """A file of results was written by a version of this project whose results are not read any more."""


def write_atomically(path: Path | str, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary path)``, flush to disk, then rename to ``path``.

    Raises
    ------
    StoreError
        If the disk is full. What stood under ``path`` stays.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        write(temporary)
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        _remove_left_behind(path)
    except Exception as error:
        # Each library wraps the system's error in one of its own.
        if getattr(error, "errno", None) in _FULL or "No space left" in str(error):
            raise StoreError(
                f"{path} cannot be written: the disk that holds {path.parent} is full. Nothing that was there is "
                "lost. Make room, then run again; only what is missing is made."
            ) from error
        if isinstance(error, OSError):
            raise StoreError(
                f"{path} cannot be written ({type(error).__name__}: {error}). Nothing that was there is lost. Mend "
                "that, or name another folder, then run again."
            ) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A new, empty file beside ``path``, as readable as the umask allows, named after the process that writes it."""
    name = f".{path.name}.{_process_space()}-{os.getpid()}.{secrets.token_hex(4)}.tmp"
    temporary = path.with_name(name)
    # With its mode from the start: not every file system lets one change it.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


@cache
def _process_space() -> str:
    """What tells whose process numbers these are: of this host since it started, and of this container."""
    known = [os.uname().nodename]
    for read in (Path("/proc/sys/kernel/random/boot_id").read_text, lambda: os.readlink("/proc/self/ns/pid")):
        try:
            known.append(read())
        except OSError:
            continue
    return hashlib.sha256("".join(known).encode()).hexdigest()[:8]


_DAY = 24 * 3600


def _remove_left_behind(path: Path) -> None:
    """Remove what killed jobs left of the file just written. What another job may be writing at this moment stays."""
    now = path.stat().st_mtime
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        space, _, process = left.name.removeprefix(f".{path.name}.").partition(".")[0].partition("-")
        try:
            # Of a writer on another host nothing is known but when it last wrote, by the clock of the file system.
            over = not _runs(int(process)) if space == _process_space() else now - left.stat().st_mtime > _DAY
            if over:
                left.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def rebuild_hint(path: Path | str) -> str:
    """How a user replaces one file, and it alone."""
    return f"To make it anew, and nothing else: snakemake --force {path}"


def older_version(path: Path | str, reason: str) -> OlderVersionError:
    """The error for a file that an older version wrote, which is no damage."""
    return OlderVersionError(
        f"{path} {reason}: an older version of this project wrote it, whose results are not read any more. Name "
        "another results folder (results: ...) to keep them, or delete them to have them made anew."
    )


def _header_text(header: Mapping[str, Any]) -> str:
    """Header as text, with a checksum of itself."""
    return json.dumps({**header, "header_checksum": _text_checksum(header)})


def _text_checksum(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _opened(path: Path | str, text: str | None) -> dict[str, Any]:
    """Header from its text, checked against its own checksum; with the types that every reader relies on."""
    if text is None:
        raise ForeignError(f"{path} has no header: it was not written by this workflow. Delete it and run again.")
    try:
        header = json.loads(text)
        if isinstance(header, dict) and "key" in header and "header_checksum" not in header:
            raise older_version(path, "has no checksum of its header")
        stated = header.pop("header_checksum")
        sound = stated == _text_checksum(header) and text == _header_text(header)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"its header is {_named(error)}") from error
    if not sound:
        raise _damaged(path, "its header does not fit the header's checksum")
    _check_header(path, header)
    return header


def _check_header(path: Path | str, header: Mapping[str, Any]) -> None:
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


def _check_key(path: Path | str, header: Mapping[str, Any], key: str | None) -> None:
    if key is not None and header.get("key") != key:
        raise StoreError(
            f"{path} was made from another configuration, version or data: its key is {header.get('key')}, "
            f"this run needs {key}. Delete it, or name another results folder, and run again."
        )


def _differs(path: Path | str, found: str, stated: str | None) -> StoreError:
    return _damaged(path, f"the checksum of its content is {found}, the file says {stated}")


def _damaged(path: Path | str, reason: str) -> StoreError:
    return StoreError(f"{path} is damaged: {reason}. {rebuild_hint(path)}")


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _unreadable(path: Path | str, error: BaseException) -> StoreError:
    if isinstance(error, FileNotFoundError):
        return StoreError(f"{path} is missing. {rebuild_hint(path)}")
    return UnreadableError(
        f"{path} cannot be read here ({_named(error)}). That does not say that it is damaged: keep it. Mend what the "
        "system says (who may read it, memory, open files, the disk), then run again."
    )


@contextmanager
def _opening(path: Path | str) -> Iterator[BinaryIO]:
    """A file to read; what the system refuses is no damage."""
    try:
        # A pipe would be waited for, and a device may have no end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ForeignError(f"{path} is no regular file: this workflow did not write it. Delete it and run again.")
        with open(path, "rb") as stream:
            yield stream
    except (OSError, MemoryError) as error:
        raise _unreadable(path, error) from error


@contextmanager
def _sound(path: Path | str) -> Iterator[None]:
    """The reading of a file that fits its checksum: what goes wrong is no damage."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


def _check_size(path: Path | str, needed: int, unpacked: int | None = None) -> None:
    """Refuse, before it is taken, more memory than there is or than a file of this size should need.

    Parameters
    ----------
    needed : bytes in memory at once
    unpacked : bytes of all that it holds, where that is more
    """
    reason = too_large(path, needed, needed if unpacked is None else unpacked)
    if reason is not None:
        raise UnreadableError(
            f"{path} is not read: {reason}. Free memory where that is what is short; delete the file if it comes from "
            "somebody else."
        )


def is_there(path: Path | str) -> bool:
    """Whether something lies under a path, as far as this user may look: what may not be looked at is not missing."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


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
    with _opening(path) as stream:
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
    if found != stated.decode():
        raise _differs(path, found, stated.decode())


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and a JSON header as one compressed npz."""
    stated = {**header, "checksum": _array_checksum(arrays)}
    payload = {**arrays, HEADER: np.array(_header_text(stated))}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez_compressed(stream, **payload)
        _seal(temporary, ".npz")

    write_atomically(path, write)


def _array_checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Checksum of named arrays, whatever library compresses them."""
    content = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        array = np.asarray(values)
        content.update(f"{name} {array.dtype.str} {list(array.shape)}".encode())
        content.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8) if array.size else b"")
    return content.hexdigest()[:32]


def read_npz(path: Path | str, key: str | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and header of an npz.

    Raises
    ------
    StoreError
        If the file is damaged, has no header, or ``key`` is given and differs.
    """
    _check_seal(path)
    with _sound(path), np.load(path, allow_pickle=False) as archive:
        header = _opened(path, _npz_text(path, archive))
        _check_key(path, header, key)
        _check_size(path, sum(item.file_size for item in archive.zip.infolist()))
        arrays = {name: archive[name] for name in archive.files if name != HEADER}
    header.pop("checksum", None)
    return arrays, header


def _npz_text(path: Path | str, archive: Any) -> str | None:
    """Text of the header of an open npz."""
    if HEADER not in archive.files:
        return None
    size = sum(item.file_size for item in archive.zip.infolist() if item.filename.removesuffix(".npy") == HEADER)
    if size > HEADER_BYTES:
        raise ForeignError(f"{path} has a header of {size / 1e9:.2f} GB: this workflow did not write it. Delete it.")
    return str(archive[HEADER])


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


#: Type of a tensor as the file names it -> as PyTorch prints it, which is what the checksum covers.
_TENSOR_TYPES = {
    "BOOL": "torch.bool", "U8": "torch.uint8", "I8": "torch.int8", "I16": "torch.int16", "U16": "torch.uint16",
    "I32": "torch.int32", "U32": "torch.uint32", "I64": "torch.int64", "U64": "torch.uint64", "F16": "torch.float16",
    "BF16": "torch.bfloat16", "F32": "torch.float32", "F64": "torch.float64", "C64": "torch.complex64",
    "F8_E4M3": "torch.float8_e4m3fn", "F8_E5M2": "torch.float8_e5m2",
}  # fmt: skip


def _safetensors_table(path: Path | str, stream: BinaryIO) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin."""
    length = int.from_bytes(stream.read(8), "little")
    if length > HEADER_BYTES or length > os.fstat(stream.fileno()).st_size:
        raise _damaged(path, "its header is longer than the file or than the format allows")
    try:
        table = json.loads(stream.read(length))
        table.get("__metadata__", {}).get(HEADER)
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"its header is {_named(error)}") from error
    return table, 8 + length


def _verify_models(path: Path | str, key: str | None) -> dict[str, Any]:
    """Header of a safetensors file of which every byte was held against the checksums, without torch."""
    with _opening(path) as stream:
        table, start = _safetensors_table(path, stream)
        header = _opened(path, table.pop("__metadata__", {}).get(HEADER))
        _check_key(path, header, key)
        content, end = hashlib.sha256(), start
        try:
            entries = [(name, *(entry[part] for part in _ENTRY)) for name, entry in sorted(table.items())]
            # Each byte belongs to one tensor.
            for begin, stop in sorted(entry[3] for entry in entries):
                if start + begin != end or stop < begin:
                    raise ValueError("its tensors overlap or leave gaps")
                end = start + stop
            if end != os.fstat(stream.fileno()).st_size:
                raise ValueError("it has another length than its header says")
            for name, kind, shape, (begin, stop) in entries:
                content.update(f"{name} {_TENSOR_TYPES[kind]} {shape}".encode())
                stream.seek(start + begin)
                for place in range(begin, stop, _CHUNK):
                    content.update(stream.read(min(_CHUNK, stop - place)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, f"what it says of its tensors does not fit: {_named(error)}") from error
    stated, found = header.pop("checksum", None), content.hexdigest()[:32]
    if stated != found:
        raise _differs(path, found, stated)
    return header


_ENTRY = ("dtype", "shape", "data_offsets")
_CHUNK = 1 << 24


def read_models(path: Path | str, key: str | None = None) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """State dicts by model index, and the header. Raises as `read_npz` does."""
    from safetensors import safe_open

    header = _verify_models(path, key)
    _check_size(path, os.path.getsize(path))
    states: dict[int, dict[str, Any]] = {}
    with _sound(path), safe_open(path, framework="pt") as archive:
        for name in archive.keys():  # noqa: SIM118 (not a mapping)
            index, tensor_name = name.split("/", 1)
            states.setdefault(int(index), {})[tensor_name] = archive.get_tensor(name)
    if sorted(states) != header.get("models"):
        raise StoreError(f"{path} holds models {sorted(states)}, its header says {header.get('models')}. Delete it.")
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
    """A pandas frame, with categories for texts, and the header of a parquet file. Raises as `read_npz` does."""
    read, names, header = open_parquet(path, key)
    import pyarrow as pa

    with _sound(path):
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
    with _sound(path):
        footer = pq.read_metadata(path)
        header = _opened(path, _parquet_text(footer.metadata))
        _check_key(path, header, key)
        sizes = _column_bytes(footer)
        _check_size(path, max(sizes.values(), default=0), sum(sizes.values()))

    def read(name: str) -> Any:
        with _sound(path):
            # As a dictionary where it is text: one long text may stand in millions of rows.
            return pq.read_table(path, columns=[name], use_threads=False, read_dictionary=[name])[name]

    return read, list(sizes), header


#: Bytes that a value takes in memory; of a text, those of its place, and the texts themselves are counted apart.
_VALUE_BYTES = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "BYTE_ARRAY": 8}


def _column_bytes(footer: Any) -> dict[str, int]:
    """Column -> the bytes it takes once it is read: a value that repeats takes next to none in the file."""
    sizes = dict.fromkeys(footer.schema.names, 0)
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            values = chunk.num_values * _VALUE_BYTES.get(chunk.physical_type, 16)
            sizes[chunk.path_in_schema] += max(values, chunk.total_uncompressed_size)
    return sizes


def _parquet_text(metadata: Mapping[bytes, bytes] | None) -> str | None:
    text = (metadata or {}).get(HEADER.encode())
    return None if text is None else text.decode(errors="replace")


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

    That is the checksum of the arrays or models, which files made anew from the same things share; of a table, a
    document or a page, that of the whole file. None where the file states none.
    """
    path = Path(path)
    if path.suffix == ".json":
        document = read_document(path)
        return _document_header(document), _text_checksum(document)
    if path.suffix == ".html":
        text, header = read_page(path)
        return header, hashlib.sha256(text.encode()).hexdigest()[:32]
    with _opening(path) as stream:
        header = _opened(path, _HEADER_TEXTS[path.suffix](path, stream))
        checksum = header.pop("checksum", None)
        if path.suffix == ".parquet":
            stream.seek(max(0, _seal_place(stream, path.suffix, _SEAL_BYTES)))
            checksum = stream.read(_SEAL_BYTES).decode(errors="replace")
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
        _check_seal(path)
        _check_key(path, read_header(path), key)
    else:
        {".safetensors": _verify_models, ".json": read_document, ".html": read_page}[path.suffix](path, key)


def _npz_header(path: Path, stream: BinaryIO) -> str | None:
    with _parsing(path), np.load(stream, allow_pickle=False) as archive:
        return _npz_text(path, archive)


def _safetensors_header(path: Path, stream: BinaryIO) -> str | None:
    return _safetensors_table(path, stream)[0].get("__metadata__", {}).get(HEADER)


def _parquet_header(path: Path, stream: BinaryIO) -> str | None:
    import pyarrow.parquet as pq

    with _parsing(path):
        return _parquet_text(pq.read_metadata(stream).metadata)


@contextmanager
def _parsing(path: Path | str) -> Iterator[None]:
    """The reading of a header whose file was not held against its checksum: what does not parse may be damage."""
    try:
        yield
    except (StoreError, MemoryError):
        raise
    except Exception as error:
        # pyarrow raises an OSError without a number where bytes make no sense.
        if getattr(error, "errno", None) is not None:
            raise
        _check_seal(path)
        raise _unreadable(path, error) from error


_HEADER_TEXTS: dict[str, Callable[[Path, BinaryIO], str | None]] = {
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
    text, mark, rest = _read_text(path).rpartition("<!-- ")
    header = _opened(path, rest.removesuffix(" -->\n") if mark else None)
    _check_key(path, header, key)
    stated, found = header.pop("checksum", None), hashlib.sha256(text.encode()).hexdigest()[:32]
    if stated != found:
        raise _differs(path, found, stated)
    return text, header


def _read_text(path: Path | str) -> str:
    with _opening(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > TEXT_BYTES:
            raise ForeignError(f"{path} is {size / 1e9:.2f} GB of text: this workflow did not write it. Delete it.")
        content = stream.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _damaged(path, f"it is no text ({error})") from error


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
    run = {**run, "checksum": _text_checksum(document)}
    write_json(path, {**document, "provenance": {**provenance, "run": run}})


def read_document(path: Path | str, key: str | None = None) -> dict[str, Any]:
    """A document that `write_document` wrote, as it was given. Raises as `read_npz` does."""
    text = _read_text(path)
    try:
        document = json.loads(text)
        as_written = text == _json_text(document)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is no JSON ({_named(error)})") from error
    try:
        stated = document["provenance"]["run"].pop("checksum")
    except (KeyError, TypeError, AttributeError):
        provenance = document.get("provenance") if isinstance(document, dict) else None
        if isinstance(provenance, dict) and "key" in provenance:
            raise older_version(path, "has no checksum") from None
        raise ForeignError(
            f"{path} has no checksum: it was not written by this workflow. {rebuild_hint(path)}"
        ) from None
    if not as_written or stated != _text_checksum(document):
        raise StoreError(f"{path} is damaged or was edited: it does not fit its checksum. {rebuild_hint(path)}")
    header = _document_header(document)
    _check_header(path, header)
    _check_key(path, header, key)
    return document


def _document_header(document: Mapping[str, Any]) -> dict[str, Any]:
    provenance = document["provenance"]
    header = {name: provenance.get(name) for name in ("key", "origin", "code")}
    made_from = (provenance.get("run") or {}).get("made_from")
    return header if made_from is None else {**header, "made_from": made_from}
