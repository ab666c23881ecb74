"""A folder for temporary files that no other user of the host can write to."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from unlearning_metric.errors import UserError


class PrivateFolderError(UserError, RuntimeError):
    """The folder that would be this user's own is somebody else's, or a link."""


def private_folder(name: str) -> Path:
    """The folder ``name``-(user id) in the folder for temporary files, made where it is not there.

    Everybody may write to the folder for temporary files, and the name can be guessed: what another user put there
    would have this one overwrite files, or believe them. The name is the same for all processes of a user on a host.

    Raises
    ------
    PrivateFolderError
        If it belongs to somebody else, is a link, or others may write to it.
    OSError
        If it cannot be made.
    """
    folder = Path(tempfile.gettempdir(), f"{name}-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
        if not stat.S_IMODE(found.st_mode) & 0o022:
            return folder
        # As earlier versions made it under a umask for groups.
        folder.chmod(0o700)
        if not stat.S_IMODE(folder.lstat().st_mode) & 0o022:
            return folder
    raise PrivateFolderError(
        f"{folder} is a link, belongs to another user, or others may write to it: it is not used. Remove it, or point "
        "TMPDIR to a folder of your own on a disk of this host."
    )
