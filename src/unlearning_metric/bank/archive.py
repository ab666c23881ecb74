"""The zip file of a bank: members stored as they are, and a checksum of every byte of the file in its comment.

A bank comes from strangers. What a member is called and how large it is, is looked at before any of it is read; nothing
is unpacked but to a file of the name that was looked at.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unlearning_metric.bank.problems import BankError
from unlearning_metric.store.files import write_atomically

#: Begins the comment of the zip, before the checksum of all bytes before the comment.
SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 64
#: A zip without members ends with so many bytes, of which the last two are the length of the comment.
_END_BYTES = 22
_CHUNK = 1 << 20
#: More members than that has no bank: shards are files of many models.
MOST_MEMBERS = 100_000
#: Longest text (manifest, record, configuration) that is read into memory.
TEXT_BYTES = 20_000_000
#: Folder and file names of ASCII letters, digits, ``_``, ``-``, ``.``; none begins with a point.
MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")

Progress = Callable[[int], None]


def _no_progress(_: int) -> None:
    pass


def write_archive(path: Path | str, members: Mapping[str, bytes | Path]) -> None:
    """Write members, in their order, uncompressed; equal members give equal bytes.

    Parameters
    ----------
    members : name -> content, or a file that holds it
    """

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, content in members.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                entry.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
                with archive.open(entry, "w") as stream:
                    for part in _parts_of(content):
                        stream.write(part)
        _seal(temporary)

    write_atomically(path, write)


def _parts_of(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with open(content, "rb") as stream:
        yield from iter(lambda: stream.read(_CHUNK), b"")


def _seal(path: Path) -> None:
    """Put the checksum of a zip without a comment into its comment."""
    with open(path, "r+b") as stream:
        stream.seek(-2, os.SEEK_END)
        stream.write(SEAL_BYTES.to_bytes(2, "little"))
        stream.seek(0)
        content = hashlib.sha256()
        for part in iter(lambda: stream.read(_CHUNK), b""):
            content.update(part)
        stream.write(SEAL + content.hexdigest().encode())


class Archive:
    """A zip file whose members were looked at, none of them read yet.

    Attributes
    ----------
    path : of the file
    sha256 : of all its bytes, in hexadecimal
    sizes : name of each member -> bytes
    """

    def __init__(self, path: Path, stream: BinaryIO, progress: Progress = _no_progress) -> None:
        self.path = path
        self.sha256 = self._digest(stream, progress)
        try:
            self._zip = zipfile.ZipFile(stream)
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError) as error:
            raise BankError(f"{path} is no zip file, or a damaged one ({error}). {GET_AGAIN}") from error
        if len(entries) > MOST_MEMBERS:
            raise BankError(f"{path} has {len(entries)} members; no bank has more than {MOST_MEMBERS}. {GET_AGAIN}")
        self._entries = {entry.filename: entry for entry in entries}
        self._check_entries(entries, os.fstat(stream.fileno()).st_size)
        self.sizes = {entry.filename: entry.file_size for entry in entries}

    def _digest(self, stream: BinaryIO, progress: Progress) -> str:
        """Checksum of the file; held against the one in its comment, where it has one."""
        size = os.fstat(stream.fileno()).st_size
        if size < _END_BYTES:
            raise BankError(f"{self.path} is no zip file: it has {size} bytes. {GET_AGAIN}")
        sealed, end = hashlib.sha256(), max(0, size - SEAL_BYTES)
        stream.seek(0)
        left = end
        while left and (part := stream.read(min(_CHUNK, left))):
            sealed.update(part)
            left -= len(part)
            progress(len(part))
        whole, tail = sealed.copy(), stream.read(SEAL_BYTES)
        whole.update(tail)
        progress(len(tail))
        self._sealed = tail.startswith(SEAL)
        if self._sealed and tail[len(SEAL) :] != sealed.hexdigest().encode():
            raise BankError(
                f"{self.path} is damaged: the checksum of its bytes is {sealed.hexdigest()}, the file says "
                f"{tail[len(SEAL) :].decode(errors='replace')}. {GET_AGAIN}"
            )
        return whole.hexdigest()

    def _check_entries(self, entries: list[zipfile.ZipInfo], size: int) -> None:
        comment = self._zip.comment
        if comment and not self._sealed:
            raise BankError(f"{self.path} ends with something that is no checksum: it is damaged. {GET_AGAIN}")
        seen: dict[str, str] = {}
        for entry in entries:
            self._check_entry(entry)
            folded = entry.filename.casefold()
            if folded in seen:
                raise BankError(
                    f"{self.path} has two members of one name, {seen[folded]} and {entry.filename}. {GET_AGAIN}"
                )
            seen[folded] = entry.filename
        # Members side by side from the start, and nothing between them: no two can share bytes, nothing hides.
        place = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if entry.header_offset != place:
                raise BankError(
                    f"{self.path}: the member {entry.filename} begins at byte {entry.header_offset}, the one before it "
                    f"ends at {place}. {GET_AGAIN}"
                )
            place = self._end(entry, size)
        end = self._zip.fp
        assert end is not None
        end.seek(size - _END_BYTES - len(comment))
        if place != self._zip.start_dir or end.read(4) != b"PK\x05\x06":
            raise BankError(f"{self.path} holds bytes that belong to no member. {GET_AGAIN}")

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        """Refuse a member that is no plain file of this place."""
        name = entry.filename
        # Python cuts a name at a zero byte.
        if MEMBER.fullmatch(name) is None or ".." in name or entry.orig_filename != name:
            raise BankError(
                f"{self.path} has a member called {entry.orig_filename!r}: a bank's members have names of letters, "
                f"digits and _-. alone, within its folder. {GET_AGAIN}"
            )
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BankError(f"{self.path}: the member {name} is a link or device, not a file. {GET_AGAIN}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise BankError(
                f"{self.path}: the member {name} says that its {entry.compress_size} bytes unpack to "
                f"{entry.file_size}; the members of a bank are not compressed. {GET_AGAIN}"
            )
        # Encrypted, patched, or with its sizes behind it.
        if entry.flag_bits & ~0x800:
            raise BankError(f"{self.path}: the member {name} has flags {entry.flag_bits:#x}, none are known. "
                            f"{GET_AGAIN}")  # fmt: skip

    def _end(self, entry: zipfile.ZipInfo, size: int) -> int:
        """Where a member ends, by its own header, which must say what the zip's directory says."""
        stream = self._zip.fp
        assert stream is not None
        stream.seek(entry.header_offset)
        head = stream.read(30)
        wanted = entry.filename.encode()
        lengths = [int.from_bytes(head[place : place + 2], "little") for place in (26, 28)]
        name = stream.read(lengths[0])
        end = entry.header_offset + 30 + sum(lengths) + entry.compress_size
        crc = int.from_bytes(head[14:18], "little")
        if head[:4] != b"PK\x03\x04" or name != wanted or end > size or crc != entry.CRC:
            raise BankError(f"{self.path}: the zip's directory and the member {entry.filename} contradict each other. "
                            f"{GET_AGAIN}")  # fmt: skip
        return end

    def parts(self, name: str) -> Iterator[bytes]:
        """Content of a member, a part at a time."""
        try:
            with self._zip.open(self._entries[name]) as stream:
                yield from iter(lambda: stream.read(_CHUNK), b"")
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise BankError(f"{self.path}: the member {name} is damaged ({error}). {GET_AGAIN}") from error

    def text(self, name: str) -> str:
        """A member that is text, whole."""
        if self.sizes[name] > TEXT_BYTES:
            raise BankError(
                f"{self.path}: the member {name} has {self.sizes[name]} bytes, and at most {TEXT_BYTES} are read. "
                f"{GET_AGAIN}"
            )
        try:
            return b"".join(self.parts(name)).decode()
        except UnicodeDecodeError as error:
            raise BankError(f"{self.path}: the member {name} is no text ({error}). {GET_AGAIN}") from error


#: What to do about a bank that is not as it was made.
GET_AGAIN = "Get the bank again from where it was published, and hold its sha256 against the one that is named there."


@contextmanager
def open_archive(path: Path | str, progress: Progress = _no_progress) -> Iterator[Archive]:
    """A bank's file whose members were looked at.

    Parameters
    ----------
    progress : is told how many more bytes were read

    Raises
    ------
    BankError
        If it is no zip file, is damaged, or has members that no bank has.
    """
    path = Path(path)
    try:
        # A pipe would be waited for, and a device may have no end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BankError(f"{path} is no file. Name the bank, a zip file.")
        stream = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise BankError(f"{path} cannot be read ({error.strerror}). Name the bank, a zip file.") from error
    with stream:
        yield Archive(path, stream, progress)
