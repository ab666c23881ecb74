"""A list of indices as text: one a line, or the column of a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from unlearning_metric.errors import DataError

if TYPE_CHECKING:
    pass


#: Name of the array (npz) or column (csv) that holds the indices, where there are several.
NAME = "index"
#: A longer list that ascends but for its first line begins with a header, or with an example put there by hand.
LEAST_ASCENDING = 5
#: Texts that pandas and spreadsheets write for a value that is absent.
_ABSENT = frozenset({"", "nan", "NaN", "NA", "N/A", "<NA>", "None", "null", "#N/A"})
_INTEGER = re.compile(r"[+-]?\d+")
Warn = Callable[[str], None]


def of_text(text: str, is_csv: bool, what: str, pool_size: int, warn: Warn) -> list[int]:
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
