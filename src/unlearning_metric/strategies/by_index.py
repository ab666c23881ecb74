"""Examples from a list of the user's: indices into the training pool, in a file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.strategies.candidates import Candidates

#: Name of the array (npz) or column (csv) that holds the indices, where there are several.
NAME = "index"


def listed(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """The examples whose indices stand in the file ``path``."""
    return np.flatnonzero(np.isin(candidates.indices, candidates.listed))


def read_indices(path: Path | str, pool_size: int) -> np.ndarray:
    """Indices into the training pool from a file, ascending.

    Parameters
    ----------
    path : npy or npz, an array of indices or of one truth value for each example of the pool; csv, a column; txt,
        numbers apart by blanks, commas or new lines
    pool_size : number of examples in the training pool

    Returns
    -------
    int64 [forget examples]

    Raises
    ------
    DataError
        If the file cannot be read, or an index is there twice or outside the pool.
    """
    try:
        values = np.asarray(_READERS[Path(path).suffix.lower()](Path(path)))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"forget.path {path} cannot be read ({type(error).__name__}: {error}).") from error
    if values.dtype == bool and values.shape == (pool_size,):
        values = np.flatnonzero(values)
    if values.ndim != 1 or values.dtype.kind not in "iu" or not len(values):
        raise DataError(
            f"forget.path {path} holds {values.dtype} {list(values.shape)}; needed: one row of integers, the indices "
            f"of the examples to forget, or a truth value for each of the {pool_size} examples."
        )
    outside = values[(values < 0) | (values >= pool_size)]
    if len(outside):
        raise DataError(
            f"forget.path {path} holds {len(outside)} indices outside the training pool, the first is {outside[0]}; "
            f"they may be 0 to {pool_size - 1}."
        )
    indices, times = np.unique(values.astype(np.int64), return_counts=True)
    if (times > 1).any():
        twice = indices[times > 1]
        raise DataError(f"forget.path {path} holds {len(twice)} indices more than once, the first is {twice[0]}.")
    return indices


def _from_npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        names = archive.files
        if len(names) > 1 and NAME not in names:
            raise DataError(f"forget.path {path} holds {', '.join(names)}: call the array of indices {NAME}.")
        return archive[NAME if NAME in names else names[0]]


def _from_csv(path: Path) -> list[int]:
    with open(path, newline="", encoding="utf-8-sig") as stream:
        lines = [line for line in csv.reader(stream) if line]
    if not lines:
        return []
    column = 0
    if len(lines[0]) > 1 or not _is_integer(lines[0][0]):
        header = lines.pop(0)
        if len(header) > 1 and NAME not in header:
            raise DataError(f"forget.path {path} has the columns {', '.join(header)}: call that of indices {NAME}.")
        column = header.index(NAME) if NAME in header else 0
    return [int(line[column]) for line in lines]


def _is_integer(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _from_txt(path: Path) -> list[int]:
    return [int(word) for word in path.read_text(encoding="utf-8-sig").replace(",", " ").split()]


_READERS: dict[str, Callable[[Path], Any]] = {
    ".npy": lambda path: np.load(path, allow_pickle=False),
    ".npz": _from_npz,
    ".csv": _from_csv,
    ".txt": _from_txt,
}
