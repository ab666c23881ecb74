"""A list of indices in a file of the user's, in every layout that NumPy and pandas write; what it may mean is said."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unlearning_metric.errors import DataError
from unlearning_metric.host.memory import too_large
from unlearning_metric.progress import LOGGER
from unlearning_metric.strategies.index_text import NAME, Warn, of_text

if TYPE_CHECKING:
    import numpy as np

#: Bytes of memory that a byte of the file takes while it is read, as Python's integers and text.
LIST_BYTES = 12


def log_warning(text: str) -> None:
    """Write a warning to the log of the job."""
    LOGGER.warning("warning: %s", text)


def read_indices(path: Path | str, pool_size: int, warn: Warn = log_warning) -> np.ndarray:
    """Indices into the training pool from a file, ascending.

    Parameters
    ----------
    path : npy or npz, an array of indices or of one truth value for each example of the pool; csv, a column; txt,
        numbers apart by blanks, commas or new lines. An index column and a nameless header, as pandas writes them, are
        known as such.
    pool_size : number of examples in the training pool
    warn : is told what the file may mean as well

    Returns
    -------
    int64 [forget examples]

    Raises
    ------
    DataError
        If the file cannot be read or be understood in one way alone, or an index is there twice or outside the pool.
    """
    import numpy as np

    path, what = Path(path), f"forget.path {path}"
    try:
        _refuse_large(path, what)
        if path.suffix.lower() in (".npy", ".npz"):
            values = _of_array(_read_array(path, what), what, pool_size)
        else:
            values = of_text(path.read_text(encoding="utf-8-sig"), path.suffix.lower() == ".csv", what, pool_size, warn)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            f"{what} cannot be read: it is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except Exception as error:
        raise DataError(f"{what} cannot be read ({type(error).__name__}: {error}).") from error
    if not values:
        raise DataError(f"{what} is empty: it holds no index of an example to forget.")
    _refuse_mask(values, what, pool_size)
    outside = [value for value in values if not 0 <= value < pool_size]
    if outside:
        raise DataError(
            f"{what} holds {len(outside)} indices outside the training pool, the first is {outside[0]}; they may be 0 "
            f"to {pool_size - 1}."
        )
    indices, times = np.unique(np.array(values, dtype=np.int64), return_counts=True)
    if (times > 1).any():
        twice = indices[times > 1]
        raise DataError(f"{what} holds {len(twice)} indices more than once, the first is {twice[0]}.")
    return indices


def _refuse_large(path: Path, what: str) -> None:
    """A file that unpacks to more than memory holds stops with a message; read, it would stop the computer."""
    unpacked = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    why = too_large(path, needed=LIST_BYTES * unpacked, unpacked=unpacked)
    if why is not None:
        raise DataError(f"{what} is not read: {why}. Save the indices of the examples to forget alone.")


def _refuse_mask(values: Sequence[float], what: str, pool_size: int) -> None:
    """Many zeros and ones are a mask; as indices they would name the examples 0 and 1 again and again."""
    if len(values) > 2 and set(values) <= {0, 1}:
        raise DataError(
            f"{what} holds {len(values)} zeros and ones, which are a mask and no list of indices. Save a truth value "
            f"for each of the {pool_size} examples, numpy.save('forget.npy', mask.astype(bool)), or the indices, "
            "numpy.flatnonzero(mask)."
        )


# Arrays -------------------------------------------------------------------------------------------------------


def _read_array(path: Path, what: str) -> np.ndarray:
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False)
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"{what} cannot be read: it holds Python objects (a pickle, as torch.save and pickle.dump write it, or an "
            "array of dtype object), and reading them can run code. Write it with numpy.save('forget.npy', "
            "numpy.asarray(indices, dtype='int64'))."
        ) from error
    if isinstance(found, np.ndarray):
        return found
    with found as archive:
        names = archive.files
        if any(name.endswith("data.pkl") for name in names):
            raise DataError(
                f"{what} was written by PyTorch (torch.save), and reading it can run code. Write it with "
                "numpy.save('forget.npy', indices.numpy())."
            )
        if not names:
            raise DataError(f"{what} is empty: it holds no array.")
        if len(names) > 1 and NAME not in names:
            raise DataError(f"{what} holds {', '.join(names)}: call the array of indices {NAME}.")
        return archive[NAME if NAME in names else names[0]]


def _of_array(values: np.ndarray, what: str, pool_size: int) -> list[int]:
    import numpy as np

    if values.ndim == 2 and values.shape[1] == 1:
        # As numpy.argwhere and torch.nonzero return it.
        values = values[:, 0]
    needed = f"needed: indices of the examples to forget, integers [indices], or {pool_size} truth values"
    if values.ndim != 1:
        raise DataError(f"{what} holds {values.dtype} {list(values.shape)}; {needed}.")
    if values.dtype == bool and len(values) == pool_size:
        return np.flatnonzero(values).tolist()
    if values.dtype.kind == "f":
        _refuse_mask(values.tolist(), what, pool_size)
    if values.dtype.kind not in "iu" and len(values):
        advice = " Whole numbers may be stored as such: indices.astype('int64')." if values.dtype.kind == "f" else ""
        raise DataError(f"{what} holds {values.dtype} {list(values.shape)}; {needed}.{advice}")
    return values.tolist()


# Text ---------------------------------------------------------------------------------------------------------
