"""The base of every error whose text is for the user."""

from __future__ import annotations

import unicodedata

#: Unicode categories of what is no text on a terminal: control and format characters (those that turn the direction of
#: writing too), halves of characters as undecodable file names have them, ends of lines other than a line feed.
_NO_TEXT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joins the parts of some letters and of emoji.
_LEFT = frozenset("\n\t\u200c\u200d")


def plain(text: str) -> str:
    r"""Text whose control characters are shown, as ``\x1b``: a file's name or content must not steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(letter)[1:-1] if _is_no_text(letter) else letter for letter in text)


def _is_no_text(letter: str) -> bool:
    return letter not in _LEFT and unicodedata.category(letter) in _NO_TEXT


class UserError(Exception):
    """What is wrong, where, and what to do: the text is the whole message, and no traceback is needed beside it."""

    def __str__(self) -> str:
        return plain(super().__str__())


class DataError(UserError, ValueError):
    """The user's data do not fit: says what, where and what to do."""


class UserCodeError(UserError, RuntimeError):
    """A file of the user's does not fit what the workflow asks of it, or failed; its cause is shown in the log."""
