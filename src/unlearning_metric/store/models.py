"""State dicts of several models and a header in a safetensors file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from unlearning_metric.store.atomic import write_atomically
from unlearning_metric.store.header import HEADER, check_key, checked_header, header_text
from unlearning_metric.store.opening import HEADER_BYTES, check_size, opening, sound
from unlearning_metric.store.problems import StoreError, damaged, differs, named_error


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
    metadata = {HEADER: header_text({**header, "checksum": _tensor_checksum(tensors)})}
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
TENSOR_TYPES = {
    "BOOL": "torch.bool", "U8": "torch.uint8", "I8": "torch.int8", "I16": "torch.int16", "U16": "torch.uint16",
    "I32": "torch.int32", "U32": "torch.uint32", "I64": "torch.int64", "U64": "torch.uint64", "F16": "torch.float16",
    "BF16": "torch.bfloat16", "F32": "torch.float32", "F64": "torch.float64", "C64": "torch.complex64",
    "F8_E4M3": "torch.float8_e4m3fn", "F8_E5M2": "torch.float8_e5m2",
}  # fmt: skip


_ENTRY = ("dtype", "shape", "data_offsets")
_CHUNK = 1 << 24


def _safetensors_table(path: Path | str, stream: BinaryIO) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin."""
    length = int.from_bytes(stream.read(8), "little")
    if length > HEADER_BYTES or length > os.fstat(stream.fileno()).st_size:
        raise damaged(path, "its header is longer than the file or than the format allows")
    try:
        table = json.loads(stream.read(length))
        table.get("__metadata__", {}).get(HEADER)
    except (ValueError, AttributeError, RecursionError) as error:
        raise damaged(path, f"its header is {named_error(error)}") from error
    return table, 8 + length


def verify_models(path: Path | str, key: str | None) -> dict[str, Any]:
    """Header of a safetensors file of which every byte was held against the checksums, without torch."""
    with opening(path) as stream:
        table, start = _safetensors_table(path, stream)
        header = checked_header(path, table.pop("__metadata__", {}).get(HEADER))
        check_key(path, header, key)
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
                content.update(f"{name} {TENSOR_TYPES[kind]} {shape}".encode())
                stream.seek(start + begin)
                for place in range(begin, stop, _CHUNK):
                    content.update(stream.read(min(_CHUNK, stop - place)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, f"what it says of its tensors does not fit: {named_error(error)}") from error
    stated, found = header.pop("checksum", None), content.hexdigest()[:32]
    if stated != found:
        raise differs(path, found, stated)
    return header


def read_models(path: Path | str, key: str | None = None) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """State dicts by model index, and the header. Raises as `read_npz` does."""
    from safetensors import safe_open

    header = verify_models(path, key)
    check_size(path, os.path.getsize(path))
    states: dict[int, dict[str, Any]] = {}
    with sound(path), safe_open(path, framework="pt") as archive:
        for name in archive.keys():  # noqa: SIM118 (not a mapping)
            index, tensor_name = name.split("/", 1)
            states.setdefault(int(index), {})[tensor_name] = archive.get_tensor(name)
    if sorted(states) != header.get("models"):
        raise StoreError(f"{path} holds models {sorted(states)}, its header says {header.get('models')}. Delete it.")
    return dict(sorted(states.items())), header


def safetensors_header(path: Path, stream: BinaryIO) -> str | None:
    """Text of the header of a safetensors file; None where there is none."""
    return _safetensors_table(path, stream)[0].get("__metadata__", {}).get(HEADER)
