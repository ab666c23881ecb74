"""Jupyter notebooks as Python source."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

#: A line that the notebook's shell runs, not Python: `%matplotlib inline`, `!pip install x`, `files = !ls`.
_SHELL = re.compile(r"^(\s*)(?:[%!?].*|[\w, ]+=\s*[%!].*|.*\?\s*)$")


def source_bytes(path: Path | str) -> bytes:
    """Python source of a file; of a notebook its code cells, one after another.

    Cells that are no Python, by a magic such as ``%%bash`` or because they do not parse, are left out.

    Raises
    ------
    ValueError
        If a file that ends in .ipynb is no notebook.
    """
    data = Path(path).read_bytes()
    if Path(path).suffix != ".ipynb":
        return data
    try:
        cells = json.loads(data)["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{Path(path).name} is no notebook: {error}") from error
    return "\n\n".join(cell for text in texts if (cell := _python(text))).encode()


def _python(cell: str) -> str:
    if cell.lstrip().startswith("%%") and not cell.lstrip().startswith(("%%time", "%%capture")):
        return ""
    lines = [_SHELL.sub(r"\1pass", line) if _SHELL.match(line) else line for line in cell.splitlines()]
    text = "\n".join(lines)
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    return text
