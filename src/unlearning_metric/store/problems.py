"""What can be wrong with a file of results, in words."""

from __future__ import annotations

from pathlib import Path

from unlearning_metric.errors import UserError


class StoreError(UserError, RuntimeError):
    """A file is damaged, or does not belong to this run; ``kind`` is how the doctor calls that."""

    kind = "damaged"


class UnreadableError(StoreError):
    """A file could not be read here and now. It may be sound."""

    kind = "unreadable"


class ForeignError(StoreError):
    """Something lies in the place of a file that this workflow did not write there."""

    kind = "foreign"


class OlderVersionError(ForeignError):
    """A file of results was written by a version of this project whose results are not read any more."""


def rebuild_hint(path: Path | str) -> str:
    """How a user replaces one file, and it alone."""
    return f"To make it anew, and nothing else: snakemake --force {path}"


def older_version(path: Path | str, reason: str) -> OlderVersionError:
    """The error for a file that an older version wrote, which is no damage."""
    return OlderVersionError(
        f"{path} {reason}: an older version of this project wrote it, whose results are not read any more. Name "
        "another results folder (results: ...) to keep them, or delete them to have them made anew."
    )


def damaged(path: Path | str, reason: str) -> StoreError:
    """The error for bytes that do not fit a checksum or what the file says of itself."""
    return StoreError(f"{path} is damaged: {reason}. {rebuild_hint(path)}")


def differs(path: Path | str, found: str, stated: str | None) -> StoreError:
    """The error for a content whose checksum is another than the file states."""
    return damaged(path, f"the checksum of its content is {found}, the file says {stated}")


def named_error(error: BaseException) -> str:
    """Class and message of an exception."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def unreadable(path: Path | str, error: BaseException) -> StoreError:
    """The error for what the system refuses to read."""
    if isinstance(error, FileNotFoundError):
        return StoreError(f"{path} is missing. {rebuild_hint(path)}")
    return UnreadableError(
        f"{path} cannot be read here ({named_error(error)}). That does not say that it is damaged: keep it. Mend what "
        "the system says (who may read it, memory, open files, the disk), then run again."
    )
