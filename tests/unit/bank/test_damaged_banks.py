"""A bank that is not what was made is refused, whatever was done to it; one that was only carried about is not."""

import os
import tracemalloc

import pytest
from damage import damages, members, written

from unlearning_metric.bank import BankError
from unlearning_metric.bank.unpack import check_bank, open_bank


def refusal(path, folder):
    """Why a bank is not opened; None where it is."""
    try:
        open_bank(path, folder)
    except BankError as error:
        return str(error)
    return None


def test_sixty_damaged_banks_are_refused_and_leave_nothing(digits, other_bank, tmp_path):
    found = damages(digits.read_bytes(), other_bank)
    assert len(found) >= 60
    accepted = []
    for number, (name, content) in enumerate(found.items()):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(content)
        message = refusal(path, tmp_path / "opened")
        if message is None or str(path) not in message:
            accepted.append((name, message))
        path.unlink()
        assert not list(tmp_path.iterdir()), name
    assert not accepted


def test_a_bank_that_was_renamed_or_zipped_again_is_sound(digits, other_bank, tmp_path):
    path = tmp_path / "b.zip"
    for content in (digits.read_bytes(), other_bank, written(members(digits.read_bytes()))):
        path.write_bytes(content)
        assert check_bank(path).record.copies == 64


def test_what_differs_is_said_with_the_member_and_both_values(digits, tmp_path):
    contents = members(digits.read_bytes())
    name = next(name for name in contents if name.endswith("split.npz"))
    path = tmp_path / "b.zip"
    path.write_bytes(written({**contents, name: contents[name][:-1] + b"x"}))
    with pytest.raises(
        BankError, match=rf"sha256 of {name} is [0-9a-f]{{64}}, manifest-sha256.txt says [0-9a-f]{{64}}"
    ):
        check_bank(path)


def test_a_bomb_takes_no_memory(digits, other_bank, tmp_path):
    path = tmp_path / "b.zip"
    path.write_bytes(damages(digits.read_bytes(), other_bank)["bomb in place of the record"])
    tracemalloc.start()
    with pytest.raises(BankError, match="at most"):
        check_bank(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15_000_000


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    for path in ("pipe.zip", "absent.zip", "."):
        with pytest.raises(BankError):
            check_bank(tmp_path / path)
