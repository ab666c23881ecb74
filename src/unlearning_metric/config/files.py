"""Whether the files and folders that a configuration names are there."""

from collections.abc import Iterator, Mapping, Set
from operator import attrgetter
from pathlib import Path
from typing import Any

from unlearning_metric.config.experiment import Config, overlap
from unlearning_metric.data import SOURCES
from unlearning_metric.spelling import composed


def absent_files(config: Config, bad_keys: Set[str], raw: Mapping[str, Any], methods: Mapping[str, Path]) -> list[str]:
    """What a configuration names and is not there, each with what to do.

    Parameters
    ----------
    config : less what is under ``bad_keys``
    bad_keys : dotted keys of what is wrong or missing
    raw : the configuration as it was given, whose paths may hold ``~`` and variables
    methods : name -> path of every file in methods/
    """
    problems = []
    for key, path, kind, wanted in _named(config, bad_keys, methods):
        exists = Path(path).is_file() if kind == "file" else Path(path).is_dir()
        if not exists:
            problems.append(f"{key}: {_absent(path, kind, _given(raw, key))} {wanted}")
    return problems


def _named(config: Config, bad_keys: Set[str], methods: Mapping[str, Path]) -> Iterator[tuple[str, str, str, str]]:
    """Key, path, ``file`` or ``folder``, and what to do, of every path that the configuration reads."""

    def value(key: str) -> Any:
        if any(overlap(key, bad) for bad in bad_keys) or (key == "tuning.forget.path" and config.tuning.forget is None):
            return None
        return attrgetter(key)(config)

    record = SOURCES.get(value("data.source"))
    for key, kind, wanted in (
        ("forget.path", "file", "Give the path of a file with the indices of the training examples to forget."),
        ("tuning.forget.path", "file", "Give the path of a file with the indices of the examples to choose by."),
        ("model.file", "file", "Give its path."),
        ("training.file", "file", "Give its path."),
        ("original", "file", "Give its path."),
        ("data.path", record.reads if record else None, f"Give the path of {record.holds if record else ''}."),
    ):
        if kind is not None and (path := value(key)) is not None:
            yield key, path, kind, wanted
    for name, entry in (value("methods") or {}).items():
        if "dump" in entry:
            yield f"methods.{name}.dump", str(entry["dump"]), "file", "Give the path of a npz file."
        elif isinstance(entry.get("file"), str) and entry["file"] not in methods:
            wanted = "Give the path of a Python file, or the name of a file in methods/ without .py."
            yield f"methods.{name}.file", entry["file"], "file", wanted


def _given(raw: Any, key: str) -> Any:
    for part in key.split("."):
        raw = raw[part]
    return raw


def _absent(path: str, kind: str, given: str) -> str:
    what = f"there is no {kind} {path}"
    if path != given:
        what += f", to which {given} expands (~ is the home folder)"
    what += f" (looked in {Path.cwd()})."
    if (other := _same_to_the_eye(Path(path))) is not None:
        what += (
            f" {other} looks the same and is spelled otherwise: an accented letter is one character in the one "
            "(composed, NFC), two in the other (decomposed, NFD). Copy the name from the folder."
        )
    return what


def _same_to_the_eye(path: Path) -> Path | None:
    """What lies where a path points to, but for how its accented letters are composed."""
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        if not (found / part).exists():
            names = [entry.name for entry in found.iterdir()] if found.is_dir() else []
            alike = next((name for name in names if composed(name) == composed(part)), None)
            if alike is None:
                return None
            part = alike
        found /= part
    return found
