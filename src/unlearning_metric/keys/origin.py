"""Keys: what an artifact was made from, as one hash.

A key hashes a rule's own slice of the configuration, the code that can change its numbers, and the keys of its
inputs. Rules carry it in ``params`` (so Snakemake reruns exactly what changed, whatever the file times say) and
artifacts carry it in their headers (so files that do not belong together are refused).

Code enters as its parsed source without docstrings and comments: a comment must not retrain anything, a
changed loss must not go unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from unlearning_metric.keys.local_imports import imported_files
from unlearning_metric.keys.python_source import read_source

PACKAGE = "unlearning_metric"
PACKAGE_ROOT = Path(__file__).resolve().parents[1]

#: Modules that cannot change a number: they move bytes, check input or talk to people.
PLUMBING = frozenset(
    {
        "__init__", "compiler_import", "config", "contract", "devices", "files", "folder_content", "imports",
        "limits", "methods", "origin", "plan", "progress", "shards", "split_file", "unchanged_files",
        "unfinished", "user_functions",
    }
)  # fmt: skip


def digest(value: Any) -> str:
    """Hash of a JSON-serialisable value: 16 hexadecimal digits, independent of the order of mappings."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_fingerprint(path: Path | str) -> str:
    """Fingerprint of a Python file; of its bytes where it does not parse."""
    return read_source(path).fingerprint


def content_fingerprint(path: Path | str) -> str:
    """Fingerprint of a user's data file: its bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


@cache
def _module_file(root: Path, parts: tuple[str, ...]) -> Path | None:
    base = root.joinpath(*parts)
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imported_package_files(path: Path) -> set[Path]:
    """Files of this package that one file imports, anywhere in its source (lazy imports too)."""
    found: set[Path] = set()
    package = list(path.parent.relative_to(PACKAGE_ROOT).parts) if path.is_relative_to(PACKAGE_ROOT) else []
    for statement in read_source(path).imports:
        module = statement.module.split(".") if statement.module else []
        if statement.level:
            base = package[: len(package) - (statement.level - 1)] + module
        elif module[0] == PACKAGE:
            base = module[1:]
        else:
            continue
        for parts in (base, *([*base, name] for name in statement.names)):
            # Importing a.b runs a/__init__.py too.
            for length in range(1, len(parts) + 1):
                file = _module_file(PACKAGE_ROOT, tuple(parts[:length]))
                if file is not None:
                    found.add(file)
    return found


def _is_plumbing(path: Path) -> bool:
    # All of a room that is plumbing, such as config.
    inside = path.relative_to(PACKAGE_ROOT).with_suffix("").parts if path.is_relative_to(PACKAGE_ROOT) else ()
    return not (PLUMBING - {"__init__"}).isdisjoint(inside)


def reached_modules(entry: Path | str) -> list[Path]:
    """Package files that ``entry`` reaches by imports, less the plumbing, sorted."""
    todo, seen = [Path(entry).resolve()], set()
    while todo:
        path = todo.pop()
        if path in seen or _is_plumbing(path):
            continue
        seen.add(path)
        todo.extend(_imported_package_files(path))
    root_init = PACKAGE_ROOT / "__init__.py"
    return sorted(path for path in seen if path != root_init)


@cache
def code_fingerprints(entry: Path | str) -> dict[str, str]:
    """Fingerprints of a script and of every package module it reaches that can change a number, by file name."""
    entry = Path(entry).resolve()
    parts = {}
    for path in reached_modules(entry):
        inside = path.is_relative_to(PACKAGE_ROOT)
        # A rule's script may have the name of a module.
        name = path.relative_to(PACKAGE_ROOT).as_posix() if inside else f"scripts/{path.name}"
        parts[name] = file_fingerprint(path)
    return parts


def method_fingerprint(path: Path | str) -> str:
    """Fingerprint of a file of the user's and of the files and packages beside it that it imports."""
    path = Path(path).resolve()
    helpers = {file.relative_to(path.parent).as_posix(): file_fingerprint(file) for file in imported_files(path)}
    return digest({"own": file_fingerprint(path), "helpers": helpers})


@dataclass(frozen=True)
class Origin:
    """What an artifact is made from.

    Attributes
    ----------
    settings : the part of the configuration, and the fingerprints of the user's files, that can change it
    code : file name -> fingerprint, of the code that can change it
    inputs : name -> key of each input
    """

    settings: Mapping[str, Any]
    code: Mapping[str, str]
    inputs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Hash of all of it."""
        return digest(asdict(self))

    def __hash__(self) -> int:
        return hash(self.key)

    def header(self) -> dict[str, Any]:
        """What the header of the artifact says: ``key`` and ``origin``."""
        return {"key": self.key, "origin": asdict(self)}

    def difference(self, found: Mapping[str, Any] | None) -> str:
        """How the ``origin`` in a file's header differs from this one: names with both values, "found -> needed"."""
        if not found:
            return "its header does not say from what it was made"
        parts = []
        for part, wanted in asdict(self).items():
            ours, theirs = _flat(wanted), _flat(found.get(part, {}))
            for name in sorted(ours.keys() | theirs.keys()):
                if ours.get(name, _ABSENT) != theirs.get(name, _ABSENT):
                    parts.append(_PART_TEXTS[part](name, theirs.get(name, _ABSENT), ours.get(name, _ABSENT)))
        return "; ".join(parts) or "nothing that its header names"


_ABSENT = "nothing"
_PART_TEXTS: dict[str, Callable[[str, Any, Any], str]] = {
    "settings": lambda name, found, needed: f"{name}: {found} -> {needed}",
    "code": lambda name, found, needed: f"code of {name}: {found} -> {needed}",
    "inputs": lambda name, found, needed: f"made from another {name}: {found} -> {needed}",
}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of nested mappings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat
