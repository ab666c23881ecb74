"""Names of classes: one word is one class, however its letters are put together."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def composed(name: str) -> str:
    """A name in the form NFC of Unicode.

    A Mac writes the names of folders with accents as characters of their own (NFD), keyboards type one character (NFC):
    the two show the same word and differ in every comparison.
    """
    return unicodedata.normalize("NFC", name)


def looks_of(name: str) -> str:
    """What a name looks like: equal for names that differ in blanks, invisible characters or forms of letters."""
    shown = (one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) not in ("Cf", "Cc"))
    return " ".join("".join(shown).split())


def lookalikes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that look alike, each with characters that cannot be seen written out."""
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        known = first.setdefault(looks_of(name), name)
        if known != name:
            pairs.append((ascii(known), ascii(name)))
    return pairs
