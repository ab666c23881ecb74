"""Columns and a header in a parquet file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unlearning_metric.store.atomic import write_atomically
from unlearning_metric.store.header import HEADER, check_key, checked_header, header_text
from unlearning_metric.store.opening import check_size, sound
from unlearning_metric.store.seal import check_seal, parsing, seal_file


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
    table = table.replace_schema_metadata({HEADER: header_text(header)})

    def write(temporary: Path) -> None:
        pq.write_table(table, temporary, compression="zstd")
        seal_file(temporary, ".parquet")

    write_atomically(path, write)


def read_parquet(path: Path | str, key: str | None = None) -> tuple[Any, dict[str, Any]]:
    """A pandas frame, with categories for texts, and the header of a parquet file. Raises as `read_npz` does."""
    read, names, header = open_parquet(path, key)
    import pyarrow as pa

    with sound(path):
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

    check_seal(path)
    with sound(path):
        footer = pq.read_metadata(path)
        header = checked_header(path, _parquet_text(footer.metadata))
        check_key(path, header, key)
        sizes = _column_bytes(footer)
        check_size(path, max(sizes.values(), default=0), sum(sizes.values()))

    def read(name: str) -> Any:
        with sound(path):
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


def parquet_header(path: Path, stream: BinaryIO) -> str | None:
    """Text of the header of a parquet file; None where there is none."""
    import pyarrow.parquet as pq

    with parsing(path):
        return _parquet_text(pq.read_metadata(stream).metadata)
