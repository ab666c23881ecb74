"""Files of the workflow: written whole or not at all, each with a header that says what it is.

Everything is written under a temporary name in the same folder and renamed, so a killed job leaves no
half-written result. The header carries a checksum of the content (arrays, tensors or rows; not of itself), which
every reader verifies. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

HEADER = "unlearning_metric"


class StoreError(RuntimeError):
    """A file is damaged, or does not belong to this run."""


def write_atomically(path: Path | str, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary path)``, flush to disk, then rename to ``path``."""
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
    finally:
        temporary.unlink(missing_ok=True)


def _check_header(path: Path | str, header: Mapping[str, Any] | None, key: str | None) -> dict[str, Any]:
    if header is None:
        raise StoreError(f"{path} has no header: it was not written by this workflow. Delete it and run again.")
    if key is not None and header.get("key") != key:
        raise StoreError(
            f"{path} was made from another configuration, code or data: its key is {header.get('key')}, "
            f"this run needs {key}. Delete it, or name another results folder, and run again."
        )
    return dict(header)


def _checksum(parts: Iterable[tuple[str, np.ndarray]]) -> str:
    """Checksum of named arrays: names, types, shapes and bytes."""
    content = hashlib.sha256()
    for name, array in sorted(parts, key=lambda part: part[0]):
        array = np.ascontiguousarray(array)
        content.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        content.update(array.reshape(-1).view(np.uint8).data)
    return content.hexdigest()[:32]


def _check_content(path: Path | str, header: dict[str, Any], found: str) -> dict[str, Any]:
    stated = header.pop("checksum", None)
    if stated != found:
        raise StoreError(
            f"{path} is damaged: the checksum of its content is {found}, its header says {stated}. "
            "Delete it and run again."
        )
    return header


def _damaged(path: Path | str, error: Exception) -> StoreError:
    return StoreError(f"{path} cannot be read ({type(error).__name__}: {error}). Delete it and run again.")


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and a JSON header as one compressed npz."""
    header = {**header, "checksum": _checksum(arrays.items())}
    payload = {**arrays, HEADER: np.array(json.dumps(header))}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez_compressed(stream, **payload)

    write_atomically(path, write)


def read_npz(path: Path | str, key: str | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and header of an npz.

    Raises
    ------
    StoreError
        If the file is damaged, has no header, or ``key`` is given and differs.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise _damaged(path, error) from error
    text = arrays.pop(HEADER, None)
    header = _check_header(path, json.loads(str(text)) if text is not None else None, key)
    return arrays, _check_content(path, header, _checksum(arrays.items()))


def write_models(path: Path | str, states: Mapping[int, Mapping[str, Any]], header: Mapping[str, Any]) -> None:
    """Write the state dicts of several models, by model index, as one safetensors file."""
    from safetensors.torch import save_file

    tensors = {
        f"{index:04d}/{name}": tensor.detach().to("cpu").contiguous()
        for index, state in states.items()
        for name, tensor in state.items()
    }
    metadata = {HEADER: json.dumps({**header, "checksum": _checksum(_as_bytes(tensors))})}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def _as_bytes(tensors: Mapping[str, Any]) -> Iterable[tuple[str, np.ndarray]]:
    """Tensors as bytes, whatever their type: numpy knows no bfloat16."""
    import torch

    for name, tensor in tensors.items():
        label = f"{name} {tensor.dtype} {list(tensor.shape)}"
        yield label, tensor.contiguous().reshape(-1).view(torch.uint8).numpy()


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
    text = metadata.get(HEADER)
    header = _check_header(path, json.loads(text) if text else None, key)
    header = _check_content(path, header, _checksum(_as_bytes(tensors)))
    if sorted(states) != header["models"]:
        raise StoreError(f"{path} holds models {sorted(states)}, its header says {header['models']}. Delete it.")
    return dict(sorted(states.items())), header


def write_parquet(path: Path | str, columns: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Write columns (arrays of one length) and a JSON header as one parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(dict(columns))
    header = {**header, "checksum": _checksum(_column_arrays(table))}
    table = table.replace_schema_metadata({HEADER: json.dumps(header)})
    write_atomically(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def _column_arrays(table: Any) -> Iterable[tuple[str, np.ndarray]]:
    """Columns of an Arrow table as arrays; a dictionary column as its values' positions, named with the values."""
    import pyarrow as pa

    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries().combine_chunks()
            values = ",".join(map(str, column.dictionary.to_pylist()))
            yield f"{name} {values}", column.indices.to_numpy(zero_copy_only=False).astype("<i4")
        else:
            yield name, column.to_numpy()


def read_parquet(path: Path | str, key: str | None = None):
    """A pandas frame and the header of a parquet file. Raises as `read_npz` does."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except Exception as error:
        raise _damaged(path, error) from error
    text = (table.schema.metadata or {}).get(HEADER.encode())
    header = _check_header(path, json.loads(text) if text else None, key)
    header = _check_content(path, header, _checksum(_column_arrays(table)))
    return table.to_pandas(ignore_metadata=True), header


def stored_key(path: Path | str) -> str | None:
    """Key in the header of a npz, safetensors, parquet or score file; None where there is no readable one.

    Reads the header alone, and without torch: the Snakefile asks for every file while it is parsed.
    """
    path = Path(path)
    if not path.is_file():
        return None
    try:
        return _KEY_READERS[path.suffix](path)
    # Any damage means: not the file that this run needs. The job that reads it whole says what is wrong.
    except Exception:
        return None


def _npz_key(path: Path) -> str:
    with np.load(path, allow_pickle=False) as archive:
        return json.loads(str(archive[HEADER]))["key"]


def _safetensors_key(path: Path) -> str:
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("truncated")
        return json.loads(json.loads(stream.read(length))["__metadata__"][HEADER])["key"]


def _parquet_key(path: Path) -> str:
    import pyarrow.parquet as pq

    return json.loads(pq.read_schema(path).metadata[HEADER.encode()])["key"]


def _score_key(path: Path) -> str:
    return json.loads(path.read_text(encoding="utf-8"))["provenance"]["keys"]["score"]


_KEY_READERS: dict[str, Callable[[Path], str]] = {
    ".npz": _npz_key,
    ".safetensors": _safetensors_key,
    ".parquet": _parquet_key,
    ".json": _score_key,
}


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path | str, document: Any) -> None:
    """Write a document as indented JSON with sorted keys. NaN and infinity are refused: they are no JSON."""
    write_text(path, json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON document."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error
