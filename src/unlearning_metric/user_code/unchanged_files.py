"""Refuses a user's file that was edited since the run began.

Keys are computed when a run starts. A job that starts later would otherwise put what it made from the edited file under
the key of the old one, beside models that were made from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.keys.folder_content import folder_fingerprint
from unlearning_metric.keys.origin import content_fingerprint, method_fingerprint
from unlearning_metric.user_code.contract import EditedError
from unlearning_metric.user_code.interface import Interface, own_modules_called
from unlearning_metric.user_code.own_modules import expect_as_now

#: Ends of the names of files that are read as Python.
PYTHON = (".py", ".ipynb")


def refuse_edited(
    provenance: Mapping[str, Any], files: Mapping[str, Path | str | None], interface: Mapping[str, Any] | None = None
) -> None:
    """Check that files still are what a job's artifact is said to be made from; Python files from here on, too.

    Parameters
    ----------
    provenance : ``key`` and ``origin`` of the artifact
    files : dotted name of a fingerprint among the origin's settings -> the file or folder; None for none
    interface : of the method whose file is ``file``: where its imports start from, and what else it calls

    Raises
    ------
    EditedError
        If one was edited or is gone: names it.
    """
    for name, path in files.items():
        wanted: Any = (provenance.get("origin") or {}).get("settings")
        for part in name.split("."):
            wanted = wanted.get(part) if isinstance(wanted, Mapping) else None
        if path is None or wanted is None:
            continue
        if not Path(path).exists():
            raise EditedError(f"{path} is gone since this run began. Put it back and start the run again.")
        interface_of_it = interface if name == "file" and interface else {}
        root = interface_of_it.get("root")
        modules = own_modules_called(Interface.of(interface_of_it).values)
        if Path(path).suffix in PYTHON:
            # An import within a function may come hours later.
            expect_as_now(Path(path), root, modules)
        if _fingerprint(Path(path), root, modules) != wanted:
            raise EditedError(
                f"{path}, or a file that it imports, was edited since this run began, and results must not mix two "
                "versions of it. Start the run again: what was made from the old version is made anew, the rest is "
                "kept."
            )


def user_files(net: str | None, training: str | None) -> dict[str, str | None]:
    """The user's files of net and training, for `refuse_edited`; None for none."""
    return {"model.file": net, "training.file": training}


def _fingerprint(path: Path, root: str | None, modules: tuple[str, ...]) -> str:
    if path.is_dir():
        return folder_fingerprint(path)
    return method_fingerprint(path, root, modules) if path.suffix in PYTHON else content_fingerprint(path)
