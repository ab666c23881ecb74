"""Banks are read by what others read: BagIt, Croissant, data sets, SQL."""

import json
import zipfile

import pytest


@pytest.fixture
def unzipped(digits, tmp_path):
    with zipfile.ZipFile(digits) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    return folder


def test_bagit_validates_an_unzipped_bank(unzipped):
    bagit = pytest.importorskip("bagit")
    assert bagit.Bag(str(unzipped)).is_valid()
    dump = next((unzipped / "data/results/losses/retain").iterdir())
    dump.write_bytes(dump.read_bytes()[:-1] + b"x")
    assert not bagit.Bag(str(unzipped)).is_valid()


def test_croissant_names_columns_that_can_be_read(unzipped):
    croissant = pytest.importorskip("mlcroissant")
    described = croissant.Dataset(jsonld=unzipped / "croissant.json")
    assert not described.metadata.issues.errors
    name = described.metadata.record_sets[0].uuid
    row = next(iter(described.records(record_set=name)))
    assert {key.rpartition("/")[2] for key in row} >= {"model", "role", "example", "confidence", "loss"}


def test_croissant_names_every_file_of_the_payload(unzipped):
    listed = json.loads((unzipped / "croissant.json").read_text())["distribution"]
    files = {path.relative_to(unzipped).as_posix() for path in (unzipped / "data").rglob("*") if path.is_file()}
    assert {entry["contentUrl"] for entry in listed} == files


def test_outputs_are_a_data_set(unzipped, tmp_path):
    datasets = pytest.importorskip("datasets")
    files = sorted(str(path) for path in (unzipped / "data/results/losses/retain").iterdir())
    found = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert len(found) == 64 * 732
    assert {"model", "role", "example", "confidence"} <= set(found.column_names)


def test_outputs_are_a_table_of_sql(unzipped):
    duckdb = pytest.importorskip("duckdb")
    pattern = unzipped / "data/results/losses/retain/*.parquet"
    query = f"select count(distinct model), count(*) from '{pattern}' where role = 'forget'"
    ((models, rows),) = duckdb.sql(query).fetchall()
    assert (models, rows) == (64, 64 * 72)
