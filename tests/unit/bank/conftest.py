"""The small bank that ships with the tests, and one of other words."""

from pathlib import Path

import pytest
from damage import members, with_record

DIGITS = Path(__file__).resolve().parents[2] / "banks" / "digits-64.zip"


@pytest.fixture(scope="session")
def digits():
    """The bank of the digits, N = 64."""
    return DIGITS


@pytest.fixture(scope="session")
def other_bank():
    """Bytes of a sound bank of the same files under another title."""
    return with_record(members(DIGITS.read_bytes()), title="another")
