"""A list of indices in a file of the user's, in every layout that NumPy and pandas write; what it may mean is said."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from unlearning_metric.errors import DataError
from unlearning_metric.host.memory import too_large
from unlearning_metric.progress import LOGGER

if TYPE_CHECKING:
    import numpy as np

#: Name of the array (npz) or column (csv) that holds the indices, where there are several.
NAME = "index"
#: A longer list that ascends but for its first line begins with a header, or with an example put there by hand.
LEAST_ASCENDING = 5
#: Bytes of memory that a byte of the file takes while it is read, as Python's integers and text.
LIST_BYTES = 12
#: Texts that pandas and spreadsheets write for a value that is absent.
_ABSENT = frozenset({"", "nan", "NaN", "NA", "N/A", "<NA>", "None", "null", "#N/A"})
_INTEGER = re.compile(r"[+-]?\d+")

Warn = Callable[[str], None]


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
            values = _of_text(
                path.read_text(encoding="utf-8-sig"), path.suffix.lower() == ".csv", what, pool_size, warn
            )
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


def _of_text(text: str, is_csv: bool, what: str, pool_size: int, warn: Warn) -> list[int]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    if is_csv:
        _refuse_delimiter(lines, what)
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    else:
        rows = [_words(line) for line in lines]
    widths = {len(row) for row in rows}
    if widths == {1}:
        return _column([row[0] for row in rows], is_csv, what, warn)
    if len(rows) == 1 and all(map(_is_integer, rows[0])) and not (is_csv and len(rows[0]) == 2 and rows[0][0] == "0"):
        return [int(word) for word in rows[0]]
    if (counted := _behind_line_numbers(rows)) is not None:
        return counted
    if not is_csv:
        if len(rows) > 1 and _is_header(rows[0]):
            raise DataError(
                f"{what} begins with the line {lines[0]!r}, and has several numbers on a line: which are the indices? "
                f"Save it as csv, in which the column of indices is called {NAME}."
            )
        if len(rows) == 2 and len(widths) == 1 and rows[0] == [str(place) for place in range(len(rows[0]))]:
            warn(
                f"{what}: its first line, 0 to {len(rows[0]) - 1}, is taken as examples to forget; if it is the header "
                "that pandas writes above columns without names, remove it"
            )
        return [_integer(word, number, what) for number, row in enumerate(rows, 1) for word in row]
    return _named_column(rows, what, pool_size, warn)


def _words(line: str) -> list[str]:
    """Words of a line of text; an empty first one, which pandas writes above its index, is kept."""
    words = re.split(r"\s*,\s*|\s+", line.strip())
    return [word for place, word in enumerate(words) if word or (place == 0 and len(words) == 2)]


def _refuse_delimiter(lines: list[str], what: str) -> None:
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if "," not in lines[0] and all(delimiter in line for line in lines[:10]):
            raise DataError(
                f"{what} has {name} between its columns; a csv file has commas. Write it anew with commas (pandas: "
                "to_csv(path, sep=','))."
            )


def _column(cells: list[str], is_csv: bool, what: str, warn: Warn) -> list[int]:
    """A list with one cell a line, maybe below a header; pandas writes the header 0 above a column without a name."""
    if not _is_number(cells[0]) and cells[0] not in _ABSENT:
        return [_integer(cell, number, what) for number, cell in enumerate(cells[1:], 2)]
    first, *rest = (_integer(cell, number, what) for number, cell in enumerate(cells, 1))
    if not rest and not (is_csv and first == 0):
        return [first]
    steps = {other - value for value, other in pairwise(rest)}
    ascending = all(step > 0 for step in steps)
    meanings = (
        f"{what} begins with {first}, which is an example to forget or the header that pandas writes above a column "
        "without a name"
    )
    advice = (
        f"For the one, write the header {NAME} above it (pandas: Series(indices, name='{NAME}').to_csv(path, "
        "index=False)); for the other, put that in its place"
    )
    if first == 0:
        if 0 in rest:
            # No list names an example twice.
            return rest
        if len(rest) > 1 and steps == {rest[0]}:
            # 0, 1, 2, ... or 0, 5, 10, ...: it goes on as it begins.
            return [first, *rest]
        if ascending:
            raise DataError(f"{meanings}. {advice}.")
        warn(f"{meanings}. It is taken as the header. {advice}")
        return rest
    if ascending and len(rest) >= LEAST_ASCENDING and first >= rest[0]:
        raise DataError(f"{meanings}: all others ascend. {advice}.")
    return [first, *rest]


def _behind_line_numbers(rows: list[list[str]]) -> list[int] | None:
    """The second of two columns, where the first counts the lines from 0, as the index of pandas does."""
    if any(len(row) != 2 for row in rows[1:]):
        return None
    body = rows if len(rows[0]) == 2 and rows[0][0] == "0" and _is_integer(rows[0][1]) else rows[1:]
    if body is not rows and len(rows[0]) == 2 and rows[0][0]:
        return None
    if len(rows) < 2 or not all(_is_integer(cell) for row in body for cell in row):
        return None
    values = [int(row[1]) for row in body]
    if [int(row[0]) for row in body] != list(range(len(body))) or len(set(values)) < len(values):
        return None
    return values


def _named_column(rows: list[list[str]], what: str, pool_size: int, warn: Warn) -> list[int]:
    header, body = rows[0], rows[1:]
    shown = ", ".join(name or repr(name) for name in header)
    if NAME not in header:
        raise DataError(f"{what} has the columns {shown}: call that of indices {NAME}.")
    if header.count(NAME) > 1:
        raise DataError(f"{what} has the columns {shown}: call one of them {NAME}.")
    place = header.index(NAME)
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise DataError(f"{what}, row {number}: has {len(row)} cells and the header {len(header)}. Mend the row.")
    values = [_integer(row[place], number, what) for number, row in enumerate(body, 2)]
    others = [name for name in header if name != NAME]
    if len(values) > 1 and values == list(range(len(values))) and others == ["0"]:
        raise DataError(
            f"{what} has the columns {shown}, and {NAME} counts its lines: that is what pandas' reset_index makes of a "
            f"list, whose indices stand in the column 0. Call that one {NAME}, and drop the other."
        )
    if "" in others and values == list(range(len(values))):
        first = [row[header.index("")] for row in body]
        if (
            all(map(_is_integer, first))
            and [int(cell) for cell in first] != values
            and _could_be_list(first, pool_size)
        ):
            warn(
                f"{what}: the column {NAME} counts its lines, 0 to {len(values) - 1}, and is taken as the indices; if "
                f"those stand in the column without a name, call that one {NAME}"
            )
    return values


def _could_be_list(cells: list[str], pool_size: int) -> bool:
    values = [int(cell) for cell in cells]
    return len(set(values)) == len(values) and min(values) >= 0 and max(values) < pool_size


def _is_header(row: list[str]) -> bool:
    return any(word and not _is_number(word) for word in row) or row[0] == ""


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _integer(text: str, number: int, what: str) -> int:
    if _is_integer(text):
        return int(text)
    place = f"{what}, line {number}"
    if text in _ABSENT:
        raise DataError(f"{place}: the index is absent. Fill it in, or remove the line.")
    if text.lower() in ("true", "false"):
        raise DataError(
            f"{place}: {text} is a truth value, and a text file lists indices. Save the truth values of all examples "
            "with numpy.save('forget.npy', mask)."
        )
    if _is_number(text):
        raise DataError(
            f"{place}: {text} is not written as an integer. Write whole numbers: numpy.savetxt(path, indices, "
            "fmt='%d'); with pandas, indices.astype(int).to_csv(path)."
        )
    raise DataError(f"{place}: {text!r} cannot be read as an index. Expected an integer.")
