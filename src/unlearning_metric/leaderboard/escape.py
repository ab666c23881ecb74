"""Text of files, such as names and messages, as it stands in HTML, Markdown, CSV and LaTeX: never as markup.

What turns the direction of writing, and other control characters, is shown by its number in all of them.
"""

from __future__ import annotations

import re
from html import escape

import pandas as pd

from unlearning_metric.errors import plain

#: Letters of a name in a LaTeX table; a longer one is shortened in its middle, or it would run off the page.
TEX_LETTERS = 48
#: First letters by which a spreadsheet takes the text of a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# An underscore within a word is no markup.
_EMPHASIS = re.compile(r"[*`~]|(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])")
_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # \textquotedbl is not in every font encoding, and babel makes the letter active in some languages.
    '"': r'\string"',
}  # fmt: skip


def as_html(text: object) -> str:
    """Text for an element or an attribute."""
    return escape(plain(str(text)))


def as_text(text: str) -> str:
    """Text that Markdown shows as it is, on a line."""
    line = on_line(text).replace("\\", "\\\\").replace("<", "\\<").replace("](", "]\\(").replace("&", "\\&")
    return _EMPHASIS.sub(r"\\\g<0>", line)


def as_cell(text: str) -> str:
    """Text of a CSV cell that no spreadsheet takes for a formula: before its first letters it sets an apostrophe."""
    shown = plain(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def as_tex(text: str, letters: int | None = None) -> str:
    """Text that stands in LaTeX as it is, on a line; shortened in its middle where it has more than `letters`."""
    line = on_line(text)
    parts = [line]
    if letters is not None and len(line) > letters:
        parts = [line[: letters - letters // 3], line[-(letters // 3) :]]
    return r"\ldots{}".join("".join(_TEX.get(letter, letter) for letter in part) for part in parts)


def on_line(text: str) -> str:
    """Text without ends of lines, such as a comment of LaTeX needs it."""
    return " ".join(plain(text).split())


def as_csv(table: pd.DataFrame) -> str:
    """A table as CSV with full precision; its texts are those of `as_cell`."""
    safe = table.map(lambda value: as_cell(value) if isinstance(value, str) else value)
    return safe.to_csv(index=False, lineterminator="\n")
