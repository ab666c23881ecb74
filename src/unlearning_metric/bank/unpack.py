"""A bank's file -> its record, checked; and its payload in a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unlearning_metric.bank.archive import GET_AGAIN, Archive, open_archive
from unlearning_metric.bank.bag import PAYLOAD, check_bag
from unlearning_metric.bank.problems import BankError
from unlearning_metric.bank.progress import ByteProgress
from unlearning_metric.bank.record import CONFIGURATION, FORGET_LIST, RECORD, Opened, Record, parse_record, write_opened
from unlearning_metric.config import ConfigError, read_yaml
from unlearning_metric.store.files import StoreError, read_stamp, verify

README = "README.md"


class Bank:
    """A bank's file, whose every byte was held against its manifests.

    Attributes
    ----------
    opened : record, name and sha256
    """

    def __init__(self, archive: Archive, base: str) -> None:
        self._archive, self._base = archive, base
        names = {name.removeprefix(f"{base}/{PAYLOAD}/") for name in archive.sizes if f"{base}/{PAYLOAD}/" in name}
        if RECORD not in names:
            raise BankError(f"{archive.path} is no bank: {base}/{PAYLOAD}/{RECORD} is missing. {GET_AGAIN}")
        record = parse_record(archive.text(f"{base}/{PAYLOAD}/{RECORD}"), f"{archive.path}: {RECORD}")
        self.opened = Opened(record, archive.path.name, archive.sha256)
        self.names = names
        self._check_names(record)

    def _check_names(self, record: Record) -> None:
        path = self._archive.path
        known = {*record.files, RECORD, *([CONFIGURATION] if record.kind == "results" else [])}
        if lost := known - self.names:
            raise BankError(f"{path}: {min(lost)} stands in {RECORD} and is missing. {GET_AGAIN}")
        for name in sorted(self.names - known):
            if record.kind != "results" or FORGET_LIST.fullmatch(name) is None:
                raise BankError(f"{path} holds {name}, which no bank holds. {GET_AGAIN}")

    def size(self, names: Iterable[str]) -> int:
        """Bytes of members of the payload."""
        return sum(self._archive.sizes[f"{self._base}/{PAYLOAD}/{name}"] for name in names)

    def extract(self, name: str, target: Path) -> None:
        """Write a member of the payload to a file that is not there yet."""
        self._write(f"{PAYLOAD}/{name}", target)

    def extract_readme(self, target: Path) -> None:
        """Write what the bank says to people, where it says anything."""
        if f"{self._base}/{README}" in self._archive.sizes:
            self._write(README, target)

    def _write(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as stream:
            for part in self._archive.parts(f"{self._base}/{name}"):
                stream.write(part)

    def check_file(self, name: str, path: Path) -> None:
        """Hold a file of results, which was extracted, against itself and the record.

        Raises
        ------
        BankError
            If it is damaged, or is another file than the record says.
        """
        stated = self.opened.record.files[name]
        try:
            verify(path)
            header, identity = read_stamp(path)
        except StoreError as error:
            raise BankError(f"{self._archive.path}: {str(error).replace(str(path), name)}") from error
        for what, found, wanted in (("key", header.get("key"), stated.key), ("content", identity, stated.identity)):
            if found != wanted:
                raise BankError(
                    f"{self._archive.path}: {name} is not the file that {RECORD} speaks of: its {what} is {found}, "
                    f"there it is {wanted}. {GET_AGAIN}"
                )


@contextmanager
def open_bank_file(path: Path | str) -> Iterator[Bank]:
    """A bank, of which every byte is read and held against the manifests first.

    Raises
    ------
    BankError
        If it is no bank, damaged, of another format or made by other versions of the steps.
    """
    size = os.path.getsize(path) if os.path.isfile(path) else None
    with open_archive(path, ByteProgress(f"{path}: reading", size)) as archive:
        base = check_bag(archive, ByteProgress(f"{path}: checking", size))
        yield Bank(archive, base)


def check_bank(path: Path | str) -> Opened:
    """Hold a bank, and every file in it, against what it says; what it is. Raises as `unpacked` does."""
    with tempfile.TemporaryDirectory() as aside, open_bank_file(path) as bank:
        files = [*bank.opened.record.files, *([CONFIGURATION] if CONFIGURATION in bank.names else [])]
        _refuse_full(Path(aside), max((bank.size([name]) for name in files), default=0))
        for name in files:
            target = Path(aside, name)
            bank.extract(name, target)
            _check(bank, name, target)
            target.unlink()
        return bank.opened


def _check(bank: Bank, name: str, target: Path) -> None:
    if name == CONFIGURATION:
        check_configuration(target, bank.opened.record, bank.names)
    elif name in bank.opened.record.files:
        bank.check_file(name, target)


def open_bank(path: Path | str, folder: Path | str) -> Opened:
    """Make a folder of a bank: configuration and results, as if they had been made here.

    Raises
    ------
    BankError
        As `open_bank_file`; if the folder holds something, cannot be written, or the disk is too small. Nothing is left
        in its place then.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BankError(f"{folder} is there and not empty. Nothing was changed. Name a new folder for the bank.")
    with open_bank_file(path) as bank:
        try:
            _fill(bank, folder)
        except OSError as error:
            raise BankError(
                f"{folder} cannot be filled ({type(error).__name__}: {error}). Name another folder, or make room."
            ) from error
        return bank.opened


def _fill(bank: Bank, folder: Path) -> None:
    parent = folder.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    _refuse_full(parent, bank.size(bank.names))
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=parent))
    try:
        for name in sorted(bank.names - {RECORD}):
            bank.extract(name, aside / name)
            _check(bank, name, aside / name)
        (aside / "results").mkdir(exist_ok=True)
        write_opened(aside / "results", bank.opened)
        bank.extract_readme(aside / README)
        # A folder of `tempfile` is its owner's alone.
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o777 & ~mask)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _refuse_full(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BankError(f"{folder}: the bank takes {needed / 1e9:.2f} GB there, and {free / 1e9:.2f} GB are free. "
                        "Make room, or name another folder.")  # fmt: skip


def check_configuration(path: Path, record: Record, names: Iterable[str]) -> None:
    """Refuse a bank's configuration that reaches for files which neither the bank nor its record names.

    Parameters
    ----------
    path : of the configuration
    names : members of the payload

    Raises
    ------
    BankError
        Names the key and its value.
    """

    def refuse(key: str, value: Any, reason: str) -> BankError:
        return BankError(f"{CONFIGURATION} of the bank: {key}: {value!r} {reason}. {GET_AGAIN}")

    try:
        raw = read_yaml(path)
    except ConfigError as error:
        raise BankError(f"the bank's configuration cannot be read: {error} {GET_AGAIN}") from error
    if raw.get("results") != "results":
        raise refuse("results", raw.get("results"), "is not the folder results")
    needed = {need.key: need.name for need in record.needs}
    allowed: dict[str, Callable[[Any], bool]] = {
        key: (lambda value, key=key: value == needed.get(key))
        for key in ("model.file", "training.file", "original", "data.path")
    }
    allowed["forget.path"] = lambda value: value in names and FORGET_LIST.fullmatch(value) is not None
    for key, fits in allowed.items():
        section, _, last = key.rpartition(".")
        value = (raw.get(section) or {}).get(last) if section else raw.get(last)
        if value is not None and not (isinstance(value, str) and fits(value)):
            raise refuse(key, value, f"is no file that the bank holds or that {RECORD} asks for")
    for method, entry in (raw.get("methods") or {}).items():
        if not isinstance(entry, dict) or {"file", "dump"} & entry.keys():
            raise refuse(f"methods.{method}", entry, "names a file, and a bank holds no methods")
