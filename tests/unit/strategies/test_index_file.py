"""Lists of indices as NumPy, pandas and PyTorch write them: read as meant, or refused with both meanings."""

import numpy as np
import pandas as pd
import pytest
import torch

from unlearning_metric.data.images import DataError
from unlearning_metric.host import memory
from unlearning_metric.strategies.index_file import read_indices

LISTS = {"any order": [5, 17, 3, 40], "ascending": [3, 5, 17, 40], "with 0": [5, 0, 3, 40]}
#: Every one of these is clear: its first line cannot be an example, or a column counts the lines.
LAYOUTS = {
    "bare": lambda column, path: column.to_csv(path, header=False, index=False),
    "named": lambda column, path: column.rename("forget").to_csv(path, index=False),
    "index column": lambda column, path: column.to_csv(path),
    "index column, named": lambda column, path: column.rename("forget").to_csv(path),
    "index column, no header": lambda column, path: column.to_csv(path, header=False),
    "index column without a place in the header": lambda column, path: column.to_frame().to_csv(
        path, index_label=False
    ),
    "one row": lambda column, path: column.to_frame().T.to_csv(path, header=False, index=False),
}


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_each_layout_of_pandas_is_read_as_meant(tmp_path, layout, listed, suffix):
    LAYOUTS[layout](pd.Series(listed), tmp_path / f"a{suffix}")
    assert read_indices(tmp_path / f"a{suffix}", 50, pytest.fail).tolist() == sorted(listed)


def test_blanks_after_commas_are_no_part_of_a_name(tmp_path):
    (tmp_path / "a.csv").write_text("label, index\n1, 5\n0, 3\n")
    assert read_indices(tmp_path / "a.csv", 50, pytest.fail).tolist() == [3, 5]


@pytest.mark.parametrize("written", [pd.Series.to_string, lambda column: column.to_frame().to_string()])
def test_what_pandas_prints_is_read_as_meant(tmp_path, written):
    (tmp_path / "a.txt").write_text(written(pd.Series([5, 17, 3, 40])))
    assert read_indices(tmp_path / "a.txt", 50, pytest.fail).tolist() == [3, 5, 17, 40]


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_the_header_of_a_nameless_column_is_no_example(tmp_path, suffix):
    said = []
    for listed in ([5, 17, 3, 40], [5, 0, 3, 40]):
        pd.Series(listed).to_csv(tmp_path / f"a{suffix}", index=False)
        assert read_indices(tmp_path / f"a{suffix}", 50, said.append).tolist() == sorted(listed)
    # With 0 among the examples nothing is doubtful.
    assert len(said) == 1
    assert "taken as the header" in said[0]


@pytest.mark.parametrize("listed", [range(4), range(0, 40, 10), [0]], ids=str)
def test_a_list_that_goes_on_as_it_begins_has_no_header(tmp_path, listed):
    (tmp_path / "a.txt").write_text("\n".join(map(str, listed)))
    assert read_indices(tmp_path / "a.txt", 50, pytest.fail).tolist() == list(listed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0\n3\n5\n17\n", "begins with 0, which is an example to forget or the header"),
        ("0\n", "begins with 0, which is an example to forget or the header"),
        ("9\n2\n5\n8\n11\n20\n30\n", "begins with 9, which is .*: all others ascend"),
        ("index,0\n0,5\n1,17\n", "that is what pandas' reset_index makes"),
        (",label\n5,1\n17,0\n", "has the columns '', label: call that of indices index"),
        ("index;y\n3;1\n", "semicolons .* has commas"),
        ("index\ty\n3\t1\n", "tabs .* has commas"),
        ("index\n3.0\n", r"line 2: 3\.0 is not written as an integer"),
        ('index\n3\n""\n', "line 3: the index is absent"),
        ("forget\nTrue\nFalse\n", "line 2: True is a truth value"),
        ("index\n", "is empty"),
        ("index,label\n3\n", "row 2: has 1 cells and the header 2"),
    ],
)
def test_what_is_doubtful_or_no_index_is_refused_with_what_to_write(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_indices(tmp_path / "a.csv", 50)


@pytest.mark.parametrize("kind", [int, float])
def test_a_mask_of_numbers_is_no_list(tmp_path, kind):
    np.save(tmp_path / "a.npy", np.isin(np.arange(50), [3, 5]).astype(kind))
    with pytest.raises(DataError, match=r"mask\.astype\(bool\)"):
        read_indices(tmp_path / "a.npy", 50)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_what_pytorch_saved_is_called_so(tmp_path, name):
    torch.save(torch.tensor([3, 5]), tmp_path / name)
    with pytest.raises(DataError, match=r"written by PyTorch \(torch\.save\)"):
        read_indices(tmp_path / name, 50)


def test_indices_as_a_column_are_a_list(tmp_path):
    np.save(tmp_path / "a.npy", np.argwhere(np.isin(np.arange(50), [3, 5])))
    assert read_indices(tmp_path / "a.npy", 50).tolist() == [3, 5]


@pytest.mark.parametrize("value", [2**32 + 3, 2**64 + 3, 2**63])
def test_no_index_is_cut_to_fewer_bits(tmp_path, value):
    (tmp_path / "a.txt").write_text(f"5 {value}")
    with pytest.raises(DataError, match=f"the first is {value}"):
        read_indices(tmp_path / "a.txt", 50)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv"])
def test_a_list_larger_than_memory_is_not_read(monkeypatch, tmp_path, name):
    listed = np.arange(3000)
    if name.endswith("csv"):
        np.savetxt(tmp_path / name, listed, fmt="%d")
    else:
        (np.save if name.endswith("npy") else np.savez_compressed)(tmp_path / name, listed)
    assert len(read_indices(tmp_path / name, 5000)) == 3000
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000)
    with pytest.raises(DataError, match=f"{name} is not read: .*memory"):
        read_indices(tmp_path / name, 5000)
