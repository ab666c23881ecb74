"""Whatever is done to a bank, it is refused or gives the same outputs. MINUTES=1 draws for so many minutes."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from damage import members, with_manifests, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unlearning_metric.bank.sides import read_sides
from unlearning_metric.bank.unpack import open_bank
from unlearning_metric.errors import UserError

MINUTES = float(os.environ.get("MINUTES", 0))
DIGITS = Path(__file__).resolve().parents[2] / "banks" / "digits-64.zip"
BANK = DIGITS.read_bytes()
NAMES = sorted(members(BANK))
#: Examples in the suite.
DRAWN = 10

place = st.integers(0, len(BANK) - 1)
edits = st.one_of(
    st.tuples(st.just("flip"), place, st.integers(1, 255)),
    st.tuples(st.just("cut"), place, place),
    st.tuples(st.just("repeat"), place, st.integers(1, 300)),
    st.tuples(st.just("insert"), place, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("edit"), st.sampled_from(NAMES), st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8))),
    st.tuples(st.just("drop"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.text(min_size=1, max_size=30)),
    st.tuples(st.just("swap"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("zip again"), st.booleans(), st.none()),
)


def applied(edit, bank, manifests_fit):
    kind, first, second = edit
    if kind == "flip":
        return bank[:first] + bytes([bank[first] ^ second]) + bank[first + 1 :]
    if kind == "cut":
        return bank[: min(first, second)] + bank[max(first, second) :]
    if kind == "repeat":
        return bank[: first + second] + bank[first:]
    if kind == "insert":
        return bank[:first] + second + bank[first:]
    contents = members(bank)
    if kind == "edit":
        where, added = second
        start = int(where * len(contents[first]))
        contents[first] = contents[first][:start] + added + contents[first][start + len(added) :]
    elif kind == "drop":
        del contents[first]
    elif kind == "rename":
        contents[second] = contents.pop(first)
    elif kind == "swap":
        contents[first], contents[second] = contents[second], contents[first]
    return written(with_manifests(contents) if manifests_fit else contents)


@pytest.fixture(scope="module")
def reference():
    return read_sides(DIGITS).sides


def check_one(folder, reference, edit, manifests_fit):
    path = folder / "mutated.zip"
    path.write_bytes(applied(edit, BANK, manifests_fit))
    before = set(folder.iterdir())
    try:
        open_bank(path, folder / "opened")
        found = read_sides(folder / "opened").sides
    except UserError:
        assert set(folder.iterdir()) == before, "something was left behind"
        return
    for name, side in reference.items():
        for role, outputs in side.roles.items():
            assert np.array_equal(found[name].roles[role].confidence, outputs.confidence)
        assert all(np.array_equal(found[name].accuracy[part], values) for part, values in side.accuracy.items())
    for path in sorted((folder / "opened").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "opened").rmdir()


def check_many(folder, reference, examples):
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              derandomize=not MINUTES)  # fmt: skip
    @given(edits, st.booleans())
    def check(edit, manifests_fit):
        check_one(folder, reference, edit, manifests_fit)

    check()


def test_a_mutated_bank_is_refused_or_gives_the_same_outputs(reference, tmp_path):
    end = time.monotonic() + 60 * MINUTES
    check_many(tmp_path, reference, DRAWN)
    drawn = DRAWN
    while time.monotonic() < end:
        check_many(tmp_path, reference, 100)
        drawn += 100
    print(f"{drawn} banks")
