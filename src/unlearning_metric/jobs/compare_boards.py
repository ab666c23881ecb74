"""Several results folders, or one with several originals -> one page with their boards beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from unlearning_metric.errors import UserError
from unlearning_metric.report.folder import gather_folder, originals_of
from unlearning_metric.report.page import comparison_html
from unlearning_metric.report.summaries import ROOM
from unlearning_metric.store.files import write_text


class ComparisonError(UserError, ValueError):
    """What cannot be compared, and what to name instead."""


def named_folders(folders: Sequence[str]) -> dict[str, Path]:
    """Name of a board -> its folder, from ``FOLDER`` or ``NAME=FOLDER``.

    Without a name it is called as its folder, or as the whole path where two folders are called alike.

    Raises
    ------
    ComparisonError
        If two boards have one name, or a folder is none.
    """
    given = [(None, Path(text)) if Path(text).exists() else _split(text) for text in folders]
    called = [name or folder.resolve().name for name, folder in given]
    names = [
        name if name in (given_name, *([] if called.count(name) > 1 else [name])) else str(folder)
        for name, (given_name, folder) in zip(called, given, strict=True)
    ]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise ComparisonError(f"compare: two boards are called {double[0]}. Write NAME=FOLDER for each of them.")
    if absent := [str(folder) for _, folder in given if not folder.is_dir()]:
        raise ComparisonError(f"compare: {absent[0]} is no folder. Name folders with finished results.")
    return dict(zip(names, (folder for _, folder in given), strict=True))


def _split(text: str) -> tuple[str | None, Path]:
    name, equals, folder = text.partition("=")
    return (name or None, Path(folder)) if equals else (None, Path(text))


def write_comparison_page(folders: Mapping[str, Path], out: Path | str) -> None:
    """Write the page of several folders' boards; of one folder, the boards of each of its originals.

    Parameters
    ----------
    folders : name of a board -> results folder
    out : the page

    Raises
    ------
    StoreError
        If a folder has no leaderboard, or a file is damaged.
    ComparisonError
        If one folder is named, and its scores are not from several originals.
    """
    if len(folders) > 1:
        boards = {name: gather_folder(folder, ROOM // len(folders)) for name, folder in folders.items()}
    else:
        (folder,) = folders.values()
        count = originals_of(folder)
        if count < 2:
            raise ComparisonError(
                f"compare: {folder} has one board. Name two folders or more, or one with scores from several originals."
            )
        boards = {
            f"original {number}": gather_folder(folder, ROOM // count, original=number) for number in range(count)
        }
    write_text(out, comparison_html(boards, {}))
