"""Names that look the same and are not: an accented letter is one character (composed, NFC) or two (decomposed, NFD).

A Mac writes the names of files decomposed; what is typed is composed.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable


def composed(name: str) -> str:
    """A name in the form in which names that look the same are the same."""
    return unicodedata.normalize("NFC", name)


def told_apart(names: Iterable[str]) -> list[str]:
    """Names as a message shows them: behind those that look like another one it says how they are spelled."""
    names = list(names)
    alike = Counter(map(composed, dict.fromkeys(names)))
    return [f"{name} ({_form(name)})" if alike[composed(name)] > 1 else name for name in names]


def _form(name: str) -> str:
    for form, words in (("NFC", "composed, NFC"), ("NFD", "decomposed, NFD")):
        if unicodedata.is_normalized(form, name):
            return words
    return "partly composed"
