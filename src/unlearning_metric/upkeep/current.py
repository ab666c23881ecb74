"""Whether a file of results is what a step needs: asked by the workflow, the doctor, a sweep and an unfinished run.

A file is current where its header has the key of its step, and where the files that it says it was made from still hold
what they held then. File times and Snakemake's records say nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from unlearning_metric.keys.origin import Origin
from unlearning_metric.store.files import OlderVersionError, StoreError, is_there, older_version, read_stamp

Kind = Literal["current", "stale", "foreign", "damaged", "unreadable", "absent"]

#: Key of a leaderboard and a report that lack methods: they are never what a run needs.
PARTIAL = "partial"


@dataclass(frozen=True)
class State:
    """What a file is to a step.

    Attributes
    ----------
    kind : ``current``; ``stale``, made from something else; ``foreign``, not of this experiment or not of this version;
        ``damaged``; ``unreadable``, here and now; ``absent``
    text : what differs or is wrong, in words; empty where nothing is
    older : whether an older version of the project wrote it
    """

    kind: Kind
    text: str = ""
    older: bool = False

    def __bool__(self) -> bool:
        """Whether it is current."""
        return self.kind == "current"


@dataclass(frozen=True)
class Stamp:
    """What a file says of itself, without its content.

    Attributes
    ----------
    header : as `store.read_header` gives it; None where there is none to read
    identity : what tells its content from another made under the same key; None where it does not say
    trouble : why there is no header
    """

    header: Mapping[str, Any] | None
    identity: str | None
    trouble: State | None = None


class Folder:
    """A results folder, of which each header is read once.

    Parameters
    ----------
    path : the folder
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._stamps: dict[str, Stamp] = {}

    def stamp(self, name: str) -> Stamp:
        """What a file within the folder says of itself."""
        if name not in self._stamps:
            self._stamps[name] = _stamp(self.path / name)
        return self._stamps[name]

    def key(self, name: str) -> str | None:
        """Key in the header of a file; None where there is no readable one."""
        header = self.stamp(name).header
        return None if header is None else header.get("key")

    def state(self, name: str, origin: Origin) -> State:
        """What a file is to the step whose origin this is.

        Parameters
        ----------
        name : path within the folder
        origin : what the file is to be made from
        """
        stamp = self.stamp(name)
        if stamp.trouble is not None:
            return stamp.trouble
        assert stamp.header is not None
        if stamp.header.get("key") != origin.key:
            return State("stale", origin.difference(stamp.header.get("origin")))
        differs = replaced(stamp.header, lambda path: self.stamp(path).identity)
        return State("stale", _replaced_text(differs)) if differs else State("current")

    def is_current(self, names: Iterator[str] | list[str], origin: Origin) -> bool:
        """Whether all these files are what a step needs."""
        return all(self.state(name, origin) for name in names)


def replaced(header: Mapping[str, Any], identity: Callable[[str], str | None]) -> dict[str, tuple[str, str]]:
    """Path -> identity then and now, of the files that a file was made from and that hold something else now.

    Parameters
    ----------
    header : of the file
    identity : path within the results folder -> identity of the file there; None where there is none, which is no
        difference: outputs outlive the models that they were taken from
    """
    found = {}
    for path, then in (header.get("made_from") or {}).items():
        now = identity(path)
        if now is not None and now != then:
            found[path] = (then, now)
    return found


def _replaced_text(differs: Mapping[str, tuple[str, str]]) -> str:
    (path, (then, now)), *more = differs.items()
    others = f", and {len(more)} more" if more else ""
    return f"made from another {path}, which was made anew since (content {then} -> {now}){others}"


def _stamp(path: Path) -> Stamp:
    if not is_there(path):
        return Stamp(None, None, State("absent", "not there; the next run makes it"))
    try:
        header, identity = read_stamp(path)
        if isinstance(header.get("origin"), dict) and "version" not in header["origin"]:
            raise older_version(path, "was made before steps had versions")
    except StoreError as error:
        older = isinstance(error, OlderVersionError)
        return Stamp(None, None, State(error.kind, without_name(error, path), older))  # type: ignore[arg-type]
    return Stamp(header, identity)


def without_name(error: StoreError, path: Path) -> str:
    """What an error says of a file, less the name that it begins with."""
    return str(error).removeprefix(f"{path} ").removeprefix(f"{path}: ")


def made_from(results: Path | str, files: list[str]) -> dict[str, str]:
    """Path within a results folder -> identity, of the files that a job is about to read; for its output's header.

    Parameters
    ----------
    results : the folder
    files : paths, of which those outside the folder and those without an identity are left out
    """
    folder = Folder(results)
    found = {}
    for path in files:
        if Path(path).is_relative_to(results):
            name = Path(path).relative_to(results).as_posix()
            identity = folder.stamp(name).identity
            if identity is not None:
                found[name] = identity
    return found
