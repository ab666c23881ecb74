"""Fingerprints of folders: names and bytes, never times; what is known is not read again."""

import os
import time

import pytest

from unlearning_metric.keys import folder_content as contents
from unlearning_metric.keys.folder_content import folder_fingerprint

HOUR = 3600 * 10**9


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(contents.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "images"
    (made / "train" / "ant").mkdir(parents=True)
    for name in ("0", "1", "2"):
        (made / "train" / "ant" / name).write_bytes(name.encode() * 4)
    return made


def settled(monkeypatch, hours=1):
    now = time.time_ns()
    monkeypatch.setattr(contents.time, "time_ns", lambda: now + hours * HOUR)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "train" / "ant" / "1").write_bytes(b"abcd"),
        lambda folder: (folder / "train" / "ant" / "1").unlink(),
        lambda folder: (folder / "train" / "ant" / "3").write_bytes(b""),
        lambda folder: (folder / "train" / "ant").rename(folder / "train" / "bee"),
    ],
    ids=["bytes", "removed", "added", "renamed"],
)
@pytest.mark.parametrize("hours", [0, 1], ids=["at once", "later"])
def test_names_and_bytes_count(folder, monkeypatch, change, hours):
    settled(monkeypatch, hours)
    before = folder_fingerprint(folder)
    assert folder_fingerprint(folder) == before
    change(folder)
    assert folder_fingerprint(folder) != before


def test_times_and_place_do_not_count(folder, tmp_path):
    before = folder_fingerprint(folder)
    os.utime(folder / "train" / "ant" / "1", (1, 1))
    assert folder_fingerprint(folder) == before
    folder.rename(tmp_path / "elsewhere")
    assert folder_fingerprint(tmp_path / "elsewhere") == before


def test_what_lies_in_linked_folders_counts(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "9").write_bytes(b"one")
    (folder / "train" / "bee").symlink_to(tmp_path / "elsewhere")
    # A way back up is not walked for ever.
    (tmp_path / "elsewhere" / "up").symlink_to(folder)
    before = folder_fingerprint(folder)
    (tmp_path / "elsewhere" / "9").write_bytes(b"another")
    assert folder_fingerprint(folder) != before


def test_a_file_that_did_not_change_is_read_once(folder, monkeypatch):
    settled(monkeypatch)
    read = []
    whole = contents.content_fingerprint
    monkeypatch.setattr(contents, "content_fingerprint", lambda path: read.append(path.name) or whole(path))
    first = folder_fingerprint(folder)
    assert sorted(read) == ["0", "1", "2"]
    (folder / "train" / "ant" / "2").write_bytes(b"2" * 4)
    assert folder_fingerprint(folder) == first
    assert read[3:] == ["2"]


def test_a_file_changed_a_moment_ago_is_read_each_time(folder, monkeypatch):
    read = []
    whole = contents.content_fingerprint
    monkeypatch.setattr(contents, "content_fingerprint", lambda path: read.append(path.name) or whole(path))
    folder_fingerprint(folder)
    folder_fingerprint(folder)
    assert len(read) == 6


def test_a_damaged_memory_is_written_anew(folder, monkeypatch, tmp_path):
    settled(monkeypatch)
    before = folder_fingerprint(folder)
    (cache,) = (tmp_path / "temporary").rglob("*.json")
    cache.write_text("{")
    assert folder_fingerprint(folder) == before
    assert cache.read_text() != "{"


def test_a_memory_that_cannot_be_written_changes_nothing(folder, monkeypatch, tmp_path):
    before = folder_fingerprint(folder)
    monkeypatch.setattr(contents.tempfile, "gettempdir", lambda: str(tmp_path / "absent" / "deep"))
    assert folder_fingerprint(folder) == before
