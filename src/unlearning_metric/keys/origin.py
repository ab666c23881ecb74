"""Keys: what an artifact was made from, as one hash.

A key hashes a step's own slice of the configuration, the step's version, the fingerprints of the user's files and the
keys of the step's inputs. Artifacts carry it in their headers: a run makes anew what has another key, whatever the file
times say, and files that do not belong together are refused.

The package's own code enters by the version alone (see `versions`): an upgrade that moves no number costs nobody a
model. Its fingerprint stands beside the key, as a record. The user's Python files enter as their parsed source without
docstrings and comments: a comment must not rerun anything, a changed loss must not go unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from unlearning_metric.keys.local_imports import imported_files
from unlearning_metric.keys.python_source import read_source
from unlearning_metric.keys.versions import VERSIONS, Version

PACKAGE_ROOT = Path(__file__).resolve().parents[1]


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


def weights_fingerprint(weights: Path | str) -> str:
    """What of pretrained weights enters a key: the bytes of a file, the name of those that have one."""
    return content_fingerprint(weights) if Path(weights).is_file() else str(weights)


@cache
def code_fingerprint() -> str:
    """Fingerprint of this package's files, byte by byte, wherever they lie: a record of what code ran, in no key."""
    files = sorted(path for path in PACKAGE_ROOT.rglob("*") if path.suffix in (".py", ".j2"))
    return digest({path.relative_to(PACKAGE_ROOT).as_posix(): content_fingerprint(path) for path in files})


def method_fingerprint(path: Path | str, root: Path | str | None = None, modules: tuple[str, ...] = ()) -> str:
    """Fingerprint of a file of the user's and of the files and packages beside it that it imports.

    Parameters
    ----------
    root, modules : as for `local_imports.imported_files`
    """
    path = Path(path).resolve()
    folder = Path(root).resolve() if root is not None else path.parent
    found = imported_files(path, root, modules)
    helpers = {file.relative_to(folder).as_posix(): file_fingerprint(file) for file in found}
    return digest({"own": file_fingerprint(path), "helpers": helpers})


@dataclass(frozen=True)
class Origin:
    """What an artifact is made from.

    Attributes
    ----------
    step : name in `versions.VERSIONS`
    settings : the part of the configuration, and the fingerprints of the user's files, that can change it
    inputs : name -> key of each input
    """

    step: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> Version:
        """Version of the step."""
        return VERSIONS[self.step]

    @cached_property
    def _stated(self) -> dict[str, Any]:
        parts = {"step": self.step, "version": self.version.number}
        return {**parts, "settings": dict(self.settings), "inputs": dict(self.inputs)}

    @cached_property
    def key(self) -> str:
        """Hash of all of it."""
        return digest(self._stated)

    def __hash__(self) -> int:
        return hash(self.key)

    def header(self) -> dict[str, Any]:
        """What the header of the artifact says: ``key``, ``origin``, and ``code`` as a record."""
        return {"key": self.key, "origin": self._stated, "code": code_fingerprint()}

    def difference(self, found: Mapping[str, Any] | None) -> str:
        """How the ``origin`` in a file's header differs from this one: names with both values, "found -> needed"."""
        if not found:
            return "its header does not say from what it was made"
        parts = []
        if "version" not in found:
            parts.append("it was made before steps had versions")
        elif found["step"] != self.step:
            parts.append(f"step: {found['step']} -> {self.step}")
        elif found["version"] != self.version.number:
            number, change = self.version
            parts.append(f"version of {self.step}: {found['version']} -> {number} ({change})")
        for part, text in _PART_TEXTS.items():
            made, needed = _flat(found.get(part, {})), _flat(self._stated[part])
            for name in sorted(made.keys() | needed.keys()):
                before, after = made.get(name, _ABSENT), needed.get(name, _ABSENT)
                if before != after:
                    parts.append(f"{text.format(name)}: {before} -> {after}")
        return "; ".join(parts) or "nothing that its header names"


_ABSENT = "nothing"
_PART_TEXTS = {"settings": "{}", "inputs": "made from another {}"}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of nested mappings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat
