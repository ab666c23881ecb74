"""Folders for temporary files: this user's alone, or none."""

import os
import tempfile

import pytest

from unlearning_metric.host.private_folder import PrivateFolderError, private_folder
from unlearning_metric.keys.folder_content import folder_fingerprint
from unlearning_metric.runtime.devices import DeviceError, lock_folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, in which another user may have put something."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_it_is_made_for_this_user_alone_and_found_again(temporary):
    folder = private_folder("some")
    assert folder == private_folder("some") == temporary / f"some-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_one_that_a_group_could_write_to_is_closed(temporary):
    folder = private_folder("some")
    folder.chmod(0o775)
    assert private_folder("some").stat().st_mode & 0o777 == 0o700


def test_a_link_of_somebody_else_is_not_followed(temporary, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "looking.lock").write_text("precious")
    for name in ("some", "unlearning-metric-gpu", "unlearning-metric-contents"):
        (temporary / f"{name}-{os.getuid()}").symlink_to(victim)
    with pytest.raises(PrivateFolderError, match="TMPDIR"):
        private_folder("some")
    with pytest.raises(DeviceError, match="is a link"):
        lock_folder()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "0").write_text("x")
    os.utime(tmp_path / "data" / "0", (1, 1))
    assert folder_fingerprint(tmp_path / "data")
    assert [path.name for path in victim.iterdir()] == ["looking.lock"]
    assert (victim / "looking.lock").read_text() == "precious"


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes folders of other users")
def test_a_folder_of_another_user_is_not_used(temporary):
    folder = private_folder("some")
    os.chown(folder, 12345, 12345)
    with pytest.raises(PrivateFolderError, match="belongs to another user"):
        private_folder("some")
