"""Files: whole or not there, read back as they were written, refused where they do not belong."""

import errno
import json
import os
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

from unlearning_metric.host import memory
from unlearning_metric.store import atomic
from unlearning_metric.store import files as store
from unlearning_metric.store.files import StoreError

DOCUMENT = {"x": [0.1] * 50, "provenance": {"key": "k1", "origin": None, "run": {"host": "h"}}}
HEADER = {"key": "k1", "models": [0, 3], "text": "ä"}


def states() -> dict[int, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 2, 2, generator=generator).to(memory_format=torch.channels_last)
    return {3: {"w": weight, "n": torch.tensor(7)}, 0: {"w": -weight, "n": torch.tensor(8)}}


def write(kind: str, path) -> None:
    if kind == "npz":
        store.write_npz(path, {"x": np.arange(500) % 7}, HEADER)
    elif kind == "safetensors":
        store.write_models(path, states(), HEADER)
    elif kind == "json":
        store.write_document(path, DOCUMENT)
    else:
        store.write_parquet(path, {"x": np.arange(500)}, HEADER)


READERS = {
    "json": store.read_document,
    "npz": store.read_npz,
    "parquet": store.read_parquet,
    "safetensors": store.read_models,
}
KINDS = pytest.mark.parametrize("kind", sorted(READERS))


def test_npz_returns_arrays_and_header_as_written(tmp_path):
    arrays = {"x": np.arange(6, dtype=np.uint8).reshape(2, 3), "y": np.array([-1.5, np.inf], dtype=np.float32)}
    store.write_npz(tmp_path / "a.npz", arrays, HEADER)
    found, header = store.read_npz(tmp_path / "a.npz", "k1")
    assert header == HEADER
    assert sorted(found) == ["x", "y"]
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_models_return_bit_by_bit_in_ascending_order(tmp_path):
    store.write_models(tmp_path / "a.safetensors", states(), HEADER)
    found, header = store.read_models(tmp_path / "a.safetensors", "k1")
    assert header == HEADER
    assert list(found) == [0, 3]
    for index, state in states().items():
        assert sorted(found[index]) == sorted(state)
        assert all(torch.equal(found[index][name], tensor) for name, tensor in state.items())


def test_parquet_returns_columns_and_header_as_written(tmp_path):
    columns = {"a": np.array([3, 1, 2], dtype=np.int8), "b": np.array([0.1, -np.inf, 1e300])}
    store.write_parquet(tmp_path / "a.parquet", columns, HEADER)
    frame, header = store.read_parquet(tmp_path / "a.parquet", "k1")
    assert header == HEADER
    assert list(frame.columns) == ["a", "b"]
    for name, values in columns.items():
        assert frame[name].dtype == values.dtype
        assert np.array_equal(frame[name].to_numpy(), values)


def test_json_returns_floats_to_the_last_bit(tmp_path):
    document = {"b": 0.1 + 0.2, "a": [1, None, "ä"]}
    store.write_json(tmp_path / "a.json", document)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == document
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.index('"a"') < text.index('"b"')


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_nan_and_infinity_and_keeps_the_old_file(tmp_path, value):
    path = tmp_path / "a.json"
    store.write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="JSON"):
        store.write_json(path, {"x": value})
    assert json.loads(path.read_text()) == {"x": 1}


@KINDS
def test_a_file_of_another_key_is_refused_with_its_name_and_both_keys(tmp_path, kind):
    path = tmp_path / f"file.{kind}"
    write(kind, path)
    READERS[kind](path, "k1")
    READERS[kind](path)
    with pytest.raises(StoreError) as caught:
        READERS[kind](path, "k2")
    for part in (str(path), "k1", "k2"):
        assert part in str(caught.value)


@KINDS
@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_file_is_refused_with_its_name(tmp_path, kind, share):
    path = tmp_path / f"file.{kind}"
    write(kind, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(StoreError) as caught:
        READERS[kind](path, "k1")
    assert str(path) in str(caught.value)


def test_a_document_returns_as_written_and_its_checksum_stands_outside_the_canonical_part(tmp_path):
    path = tmp_path / "a.json"
    store.write_document(path, DOCUMENT)
    assert store.read_document(path, "k1") == DOCUMENT
    written = json.loads(path.read_text())
    assert written["provenance"]["run"].pop("checksum")
    assert written == DOCUMENT


def test_a_document_that_was_not_written_here_is_refused(tmp_path):
    path = tmp_path / "a.json"
    store.write_json(path, DOCUMENT)
    with pytest.raises(StoreError, match=r"a\.json has no checksum"):
        store.read_document(path)


@KINDS
def test_every_bit_of_a_file_is_guarded(tmp_path, kind):
    path = tmp_path / f"file.{kind}"
    write(kind, path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=re.escape(str(path))):
            READERS[kind](path)


@KINDS
def test_the_header_is_read_alone_and_its_damage_is_seen(tmp_path, kind):
    path = tmp_path / f"file.{kind}"
    write(kind, path)
    assert store.read_header(path)["key"] == "k1"
    assert store.stored_key(path) == "k1"
    store.verify(path, "k1")
    if kind in ("safetensors", "json"):
        # The two formats whose header stands in the file as it is.
        path.write_bytes(path.read_bytes().replace(b"k1", b"k7"))
        with pytest.raises(StoreError, match="damaged"):
            store.read_header(path)
        assert store.stored_key(path) is None
    assert store.stored_key(tmp_path / "absent.npz") is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path, number):
    path = tmp_path / "a.txt"
    store.write_text(path, "old")

    def run_out_of_room(temporary):
        temporary.write_text("n")
        raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError, match=r"a\.txt cannot be written: the disk.*full"):
        store.write_atomically(path, run_out_of_room)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def left_behind(folder, name, process, space=None):
    path = folder / f".{name}.{space or atomic._process_space()}-{process}.0a1b2c3d.tmp"
    path.touch()
    return path


def test_what_killed_writers_of_a_file_left_behind_goes_with_the_next_write(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    of_another_file = left_behind(tmp_path, "b.txt", ended.pid)
    left_behind(tmp_path, "a.txt", ended.pid)
    old = left_behind(tmp_path, "a.txt", 1, "0badc0de")
    os.utime(old, (1, 1))
    store.write_text(tmp_path / "a.txt", "x")
    assert sorted(tmp_path.iterdir()) == [of_another_file, tmp_path / "a.txt"]


def test_what_a_running_writer_or_one_of_another_host_writes_stays(tmp_path):
    of_another_host = left_behind(tmp_path, "a.txt", 1, "0badc0de")
    running = left_behind(tmp_path, "a.txt", os.getppid())
    store.write_text(tmp_path / "a.txt", "x")
    assert sorted(tmp_path.iterdir()) == sorted([of_another_host, running, tmp_path / "a.txt"])


def test_two_writers_of_a_file_each_put_a_whole_one_in_its_place(tmp_path):
    path = tmp_path / "a.txt"

    def write_while_another_does(temporary):
        temporary.write_text("first")
        store.write_text(path, "second")
        assert path.read_text() == "second"

    store.write_atomically(path, write_while_another_does)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_not_written_here_is_refused(tmp_path):
    np.savez(tmp_path / "foreign.npz", x=np.arange(3))
    with pytest.raises(StoreError, match="not written by"):
        store.read_npz(tmp_path / "foreign.npz")


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StoreError, match=r"evil\.npz"):
        store.read_npz(tmp_path / "evil.npz")


def test_tensors_that_share_memory_are_written_each(tmp_path):
    shared = torch.arange(6.0)
    state = {"one": shared, "two": shared, "a part": shared[:3], "other": torch.ones(2)}
    store.write_models(tmp_path / "a.safetensors", {0: state}, {"key": "k1", "models": [0]})
    read = store.read_models(tmp_path / "a.safetensors")[0][0]
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())


def test_models_other_than_the_header_says_are_refused(tmp_path):
    store.write_models(tmp_path / "a.safetensors", states(), {"key": "k1", "models": [0, 1]})
    with pytest.raises(StoreError, match=r"a\.safetensors"):
        store.read_models(tmp_path / "a.safetensors", "k1")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "a.txt"
    store.write_text(path, "old")

    def write_half(temporary):
        temporary.write_text("ne")
        raise error

    with pytest.raises(error):
        store.write_atomically(path, write_half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_nothing_stands_under_the_final_name_before_the_write_is_complete(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    seen = []

    def write_and_look(temporary):
        temporary.write_text("new")
        seen.append((path.exists(), temporary.parent == path.parent))

    store.write_atomically(path, write_and_look)
    assert seen == [(False, True)]
    assert path.read_text() == "new"


def test_files_are_as_readable_as_the_umask_allows(tmp_path):
    old = os.umask(0o027)
    try:
        store.write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_page_comes_back_with_its_header_and_a_changed_letter_is_refused(tmp_path):
    path = tmp_path / "report.html"
    store.write_page(path, "<p>one <!-- two --></p>\n", {"key": "k", "origin": {"a": 1}})
    text, header = store.read_page(path, "k")
    assert text == "<p>one <!-- two --></p>\n"
    assert store.read_header(path) == header == {"key": "k", "origin": {"a": 1}}
    with pytest.raises(StoreError, match="this run needs q"):
        store.read_page(path, "q")
    path.write_text(path.read_text().replace("one", "two"))
    with pytest.raises(StoreError, match="damaged: the checksum"):
        store.read_page(path)
    path.write_text("<p>plain</p>")
    with pytest.raises(StoreError, match="no header"):
        store.read_page(path)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(11, dtype=np.int32) - 4,
        np.arange(9, dtype=np.int8),
        np.array([0.5, np.nan, np.inf, -0.0], np.float32),
        np.arange(20, dtype=np.float64)[::3],
        np.arange(19) % 3 == 0,
        np.zeros(0, dtype=bool),
        np.zeros(0),
    ],
    ids=lambda values: f"{values.dtype} {len(values)}",
)
def test_columns_are_as_pyarrow_makes_them(values):
    ours, theirs = store.arrow_array(values), pa.array(values)
    assert ours.type == theirs.type
    assert ours.null_count == 0
    # Bit by bit: NaN differs from itself, and -0.0 is 0.0.
    size = -(-len(values) * ours.type.bit_width // 8)
    assert [len(ours), bytes(ours.buffers()[1])[:size]] == [len(theirs), bytes(theirs.buffers()[1])[:size]]


def test_a_masked_column_keeps_its_mask(tmp_path):
    columns = {"a": np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])}
    store.write_parquet(tmp_path / "x.parquet", columns, HEADER)
    assert store.open_parquet(tmp_path / "x.parquet", "k1")[0]("a").to_pylist() == [1.0, None, 3.0]


def test_categories_are_as_pyarrow_makes_them():
    codes = np.array([2, 0, 0, 1], np.int8)
    ours = store.arrow_categories(codes, ("forget", "", "Prüfung"))
    assert ours.equals(pa.DictionaryArray.from_arrays(codes, ["forget", "", "Prüfung"]))
    ours.validate(full=True)


def test_what_is_no_column_is_refused(tmp_path):
    for columns in ({"a": np.zeros((2, 2))}, {"a": np.zeros(2), "b": np.zeros(3)}):
        with pytest.raises(pa.ArrowInvalid):
            store.write_parquet(tmp_path / "x.parquet", columns, {"key": "k"})


def test_a_dump_is_written_without_pandas(tmp_path):
    code = f"""
import sys
import numpy as np
import pyarrow as pa
from unlearning_metric.outputs.dumps import rows
from unlearning_metric.store.files import write_parquet
some = dict.fromkeys(("forget", "probe", "test"), np.arange(3))
outputs = {{0: {{role: {{"loss": np.ones(3, np.float32), "correct": np.ones(3, bool)}} for role in some}}}}
write_parquet({str(tmp_path / "x.parquet")!r}, rows(outputs, some, some), {{"key": "k"}})
print("pandas" in sys.modules)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
    assert len(store.read_parquet(tmp_path / "x.parquet", "k")[0]) == 9


@KINDS
@pytest.mark.parametrize(
    "error",
    [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EMFILE, "Too many open files"), MemoryError()],
    ids=["permission", "open files", "memory"],
)
@pytest.mark.parametrize("read", [store.read_header, store.verify, "whole"], ids=["header", "verify", "whole"])
def test_what_the_system_refuses_to_read_is_not_called_damaged(tmp_path, monkeypatch, kind, error, read):
    path = tmp_path / f"file.{kind}"
    write(kind, path)
    read = READERS[kind] if read == "whole" else read

    def refuse(*_, **__):
        raise error

    with monkeypatch.context() as context:
        context.setattr("builtins.open", refuse)
        with pytest.raises(store.UnreadableError, match=re.escape(str(path))) as caught:
            read(path)
    assert "--force" not in str(caught.value)
    assert store.read_header(path)["key"] == "k1"


@pytest.mark.parametrize(
    ("kind", "library"),
    [("npz", "numpy.load"), ("parquet", "pyarrow.parquet.read_table"), ("safetensors", "safetensors.safe_open")],
)
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't allocate memory"), OSError("Out of memory")])
def test_a_file_that_fits_its_checksum_is_not_damaged_whatever_its_library_says(
    tmp_path, monkeypatch, kind, library, error
):
    path = tmp_path / f"file.{kind}"
    write(kind, path)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(library, fail)
    with pytest.raises(store.UnreadableError):
        READERS[kind](path)


@KINDS
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, kind):
    os.mkfifo(tmp_path / f"a.{kind}")
    for read in (READERS[kind], store.read_header, store.verify):
        with pytest.raises(store.ForeignError, match="no regular file"):
            read(tmp_path / f"a.{kind}")
    assert store.stored_key(tmp_path / f"a.{kind}") is None
    (tmp_path / f"b.{kind}").symlink_to(tmp_path / f"c.{kind}")
    write(kind, tmp_path / f"c.{kind}")
    READERS[kind](tmp_path / f"b.{kind}", "k1")


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_a_file_that_unpacks_to_fill_memory_is_verified_without_unpacking_and_never_read(tmp_path, monkeypatch, kind):
    path, dense = tmp_path / f"a.{kind}", tmp_path / f"dense.{kind}"
    writer = {"npz": store.write_npz, "parquet": store.write_parquet}[kind]
    writer(path, {"x": np.zeros(1_000_000)}, HEADER)
    writer(dense, {"x": np.random.default_rng(0).normal(size=20_000)}, HEADER)
    READERS[kind](path)
    monkeypatch.setattr(memory, "HARMLESS", 100_000)
    with pytest.raises(store.UnreadableError, match=r"unpack to 0\.01 GB"):
        READERS[kind](path)
    READERS[kind](dense)
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000)
    with pytest.raises(store.UnreadableError, match="GB are free"):
        READERS[kind](dense)
    store.verify(path, "k1")
    store.verify(dense, "k1")


def test_a_long_text_that_stands_in_many_rows_is_held_once(tmp_path):
    texts = pa.array(["x" * 20_000] * 10_000)
    store.write_parquet(tmp_path / "a.parquet", {"rule": texts}, HEADER)
    column = store.open_parquet(tmp_path / "a.parquet")[0]("rule")
    assert column.nbytes < 1_000_000
    assert column[9_999].as_py() == "x" * 20_000


@KINDS
@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({"origin": None}, "key"),
        ({"key": 3, "origin": None}, "key"),
        ({"key": "k1", "origin": ["settings"]}, "origin"),
        ({"key": "k1", "origin": {"settings": [1]}}, "origin"),
    ],
)
def test_a_header_that_lacks_what_every_reader_relies_on_is_refused(tmp_path, kind, header, named):
    path = tmp_path / f"file.{kind}"
    if kind == "json":
        store.write_document(path, {"provenance": {**header, "run": {}}})
    elif kind == "safetensors":
        store.write_models(path, states(), {**header, "models": [0, 3]})
    else:
        {"npz": store.write_npz, "parquet": store.write_parquet}[kind](path, {"x": np.arange(9)}, header)
    for read in (READERS[kind], store.read_header, store.verify):
        with pytest.raises(store.ForeignError, match=named):
            read(path)


def test_files_are_written_where_modes_cannot_be_changed(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("chmod", "fchmod", "lchmod"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    store.write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").read_text() == "x"


def test_a_folder_that_cannot_be_written_is_told_with_the_file(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StoreError, match=r"a\.txt cannot be written"):
        store.write_text(tmp_path / "results" / "a.txt", "x")


def test_a_message_shows_control_characters_of_a_name_as_text(tmp_path):
    path = tmp_path / "a\x1b[31m\u202e.npz"
    write("npz", path)
    with pytest.raises(StoreError) as caught:
        store.read_npz(path, "k2")
    assert r"a\x1b[31m\u202e.npz was made from another" in str(caught.value)
