"""Whether a file is what a step needs, told by its header and by what it was made from."""

import numpy as np
import pytest
import torch

from unlearning_metric.keys.origin import Origin
from unlearning_metric.store.files import write_document, write_models, write_npz, write_parquet
from unlearning_metric.upkeep.current import Folder, made_from

MODELS, DUMP, DOCUMENT = "models/retain/0000-0000.safetensors", "losses/retain/0000-0000.parquet", "score_mine.json"


def origin(**settings):
    return Origin("train", {"lr": 0.1, **settings})


def put_models(results, weight=1.0, **header):
    write_models(results / MODELS, {0: {"w": torch.tensor([weight])}},
                 {**origin().header(), "models": [0], "run": {}, **header})  # fmt: skip


def put_dump(results, read=(MODELS,), value=1.0):
    made = made_from(results, [str(results / name) for name in read])
    write_parquet(results / DUMP, {"x": np.array([value])}, {**origin().header(), "made_from": made})


def put_document(results):
    made = made_from(results, [str(results / DUMP)])
    write_document(results / DOCUMENT, {"provenance": {**origin().header(), "made_from": made, "run": {}}})


def kinds(results):
    folder = Folder(results)
    return [folder.state(name, origin()).kind for name in (MODELS, DUMP, DOCUMENT)]


@pytest.fixture
def results(tmp_path):
    put_models(tmp_path)
    put_dump(tmp_path)
    put_document(tmp_path)
    return tmp_path


def test_what_was_made_from_what_is_there_is_current(results):
    assert kinds(results) == ["current"] * 3


def test_outputs_of_models_that_were_made_anew_with_the_same_key_are_stale(results):
    put_models(results, weight=2.0)
    assert kinds(results) == ["current", "stale", "current"]
    text = Folder(results).state(DUMP, origin()).text
    assert f"made from another {MODELS}" in text
    put_dump(results, value=2.0)
    assert kinds(results) == ["current", "current", "stale"]
    put_document(results)
    assert kinds(results) == ["current"] * 3


def test_models_that_were_made_anew_with_the_same_weights_leave_their_outputs_current(results):
    # They took another time, which stands in their header.
    put_models(results, run={"seconds": [5.0]})
    assert kinds(results) == ["current"] * 3


def test_an_array_written_by_another_library_is_the_same(tmp_path):
    write_npz(tmp_path / "a.npz", {"x": np.arange(3)}, origin().header())
    first = Folder(tmp_path).stamp("a.npz").identity
    write_npz(tmp_path / "a.npz", {"x": np.arange(3)}, {**origin().header(), "note": "other bytes"})
    assert Folder(tmp_path).stamp("a.npz").identity == first
    write_npz(tmp_path / "a.npz", {"x": np.arange(3.0)}, origin().header())
    assert Folder(tmp_path).stamp("a.npz").identity != first


def test_a_document_made_anew_with_the_same_numbers_is_the_same(tmp_path):
    def put(score, host):
        provenance = {**origin().header(), "run": {"host": host}}
        write_document(tmp_path / DOCUMENT, {"score": score, "provenance": provenance})
        return Folder(tmp_path).stamp(DOCUMENT).identity

    assert put(0.5, "one") == put(0.5, "another") != put(0.6, "one")


def test_outputs_outlive_their_models(results):
    (results / MODELS).unlink()
    assert kinds(results) == ["absent", "current", "current"]


def test_another_key_is_stale_and_says_what_differs(results):
    state = Folder(results).state(MODELS, origin(lr=0.2))
    assert state.kind == "stale"
    assert "lr: 0.1 -> 0.2" in state.text


def test_a_damaged_header_is_damaged_and_a_folder_is_no_file(results):
    (results / MODELS).write_bytes(b"no")
    (results / DUMP).unlink()
    (results / DUMP).mkdir()
    assert kinds(results) == ["damaged", "foreign", "current"]


def test_files_outside_the_folder_are_not_what_a_file_is_said_to_be_made_from(results, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    put_models(other)
    assert set(made_from(results, [str(results / MODELS), str(other / MODELS)])) == {MODELS}


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_a_file_of_an_older_version_is_told_from_a_damaged_one(tmp_path, suffix):
    import json

    path = tmp_path / f"old.{suffix}"
    if suffix == "npz":
        np.savez_compressed(path, x=np.arange(3), unlearning_metric=json.dumps({"key": "k", "checksum": "c"}))
    else:
        path.write_text(json.dumps({"provenance": {"key": "k", "run": {}}}, indent=2, sort_keys=True))
    state = Folder(tmp_path).state(path.name, origin())
    assert (state.kind, state.older) == ("foreign", True)
    path.write_bytes(path.read_bytes()[:-20])
    state = Folder(tmp_path).state(path.name, origin())
    assert (state.kind, state.older) == ("damaged", False)


def test_a_file_made_before_steps_had_versions_is_of_an_older_version(tmp_path):
    write_npz(tmp_path / "old.npz", {}, {"key": "k", "origin": {"settings": {"lr": 0.1}, "code": {}, "inputs": {}}})
    assert Folder(tmp_path).state("old.npz", origin()).older
