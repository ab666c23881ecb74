"""The damage table: every kind of artifact x every kind of damage, handed to every job that reads it.

A reader must refuse, name the file and say what to do, and must leave nothing behind.
"""

import dataclasses
import shutil

import numpy as np
import pyarrow as pa
import pytest

from unlearning_metric import config
from unlearning_metric.jobs.dump_losses import dump_losses
from unlearning_metric.jobs.score import ScoreFiles, score_dumps
from unlearning_metric.jobs.split_data import split_data
from unlearning_metric.jobs.train import train_shard
from unlearning_metric.jobs.unlearn import BenchFiles, unlearn_shard
from unlearning_metric.keys.origin import Origin
from unlearning_metric.leaderboard.board import write_leaderboard
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.store.files import (
    StoreError,
    read_document,
    read_models,
    read_npz,
    read_parquet,
    write_document,
    write_models,
    write_npz,
    write_parquet,
)
from unlearning_metric.store.stored import Stored, StoredFiles

pytestmark = pytest.mark.slow

DATA, SPLIT, FULL = "data/dataset.npz", "data/split.npz", "models/full/0000-0000.safetensors"
RETAIN = [f"models/retain/{shard}.safetensors" for shard in ("0000-0003", "0004-0007")]
COPIES = [f"models/unlearn/finetune/{shard}.safetensors" for shard in ("0000-0003", "0004-0007")]
DUMPS = {
    "retrained": ["losses/retain/0000-0003.parquet", "losses/retain/0004-0007.parquet"],
    "unlearned": ["losses/unlearn/finetune/0000-0003.parquet", "losses/unlearn/finetune/0004-0007.parquet"],
    "originals": ["losses/full/0000-0000.parquet"],
}
DOCUMENT = "score_finetune.json"
REPLICATES = "replicates_finetune.npz"


class Jobs:
    """The jobs of a finished run, on a copy of its results."""

    def __init__(self, workflow, results):
        methods = find_methods(workflow.path("methods"))
        settings = config.load([], {}, methods, workflow.path("config/config.yaml"))
        self.plan = Plan(settings, methods)
        self.results, self.out = results, results / "out"
        self.dataset = Stored(self.path(DATA), self.plan.data_origin.key)
        self.of_split = Stored(self.path(SPLIT), self.plan.split_origin.key)

    def path(self, name):
        return self.results / name

    def split(self):
        plan = self.plan
        split_data(self.dataset, self.out / "split.npz", plan.split_settings, 0,
                   plan.split_origin.header())  # fmt: skip

    def train(self):
        plan = self.plan
        train_shard(self.dataset, self.of_split, self.out / "models.safetensors", "retain", [0],
                    plan.training_settings, "cpu", plan.training_origin("retain").header())  # fmt: skip

    def unlearn(self):
        plan = self.plan
        originals = StoredFiles([str(self.path(FULL))], plan.training_origin("full").key)
        unlearn_shard(BenchFiles(self.dataset, self.of_split, originals), plan.method_file("finetune"),
                      {"method": "finetune", "models": [0]}, plan.unlearning_settings("finetune"),
                      self.out / "models.safetensors", "cpu", plan.unlearning_origin("finetune").header())  # fmt: skip

    def dump(self, shard, group):
        plan = self.plan
        dump_losses(self.dataset, self.of_split, Stored(self.path(shard), plan.models_origin(group).key),
                    plan._whole["model"], self.out / "dump.parquet", "cpu", "keep",
                    plan.dump_origin(group).header())  # fmt: skip

    def dump_retain(self):
        self.dump(RETAIN[0], "retain")

    def dump_copies(self):
        self.dump(COPIES[0], "unlearn/finetune")

    def dump_full(self):
        self.dump(FULL, "full")

    def score(self, dumps=DUMPS):
        plan = self.plan
        keys = plan.score_keys("finetune")
        sides = {name: StoredFiles([str(self.path(path)) for path in listed], keys[name])
                 for name, listed in dumps.items()}  # fmt: skip
        out = ScoreFiles(*(self.out / name for name in ("score.json", "samples.parquet", "replicates.npz")))
        score_dumps(sides, out, "finetune", plan.score_settings("finetune"), "keep",
                    plan.score_origin("finetune").header())  # fmt: skip

    def leaderboard(self):
        origin = self.plan.leaderboard_origin()
        write_leaderboard(self.out, {"finetune": self.path(DOCUMENT)}, {"finetune": self.path(REPLICATES)},
                          origin.inputs, origin.header())  # fmt: skip


@pytest.fixture
def jobs(finished, tmp_path):
    shutil.copytree(finished.path("results"), tmp_path / "results")
    return Jobs(finished, tmp_path / "results")


READERS = {
    DATA: ("split", "train", "unlearn", "dump_retain"),
    SPLIT: ("train", "unlearn", "dump_retain"),
    FULL: ("unlearn", "dump_full"),
    RETAIN[0]: ("dump_retain",),
    COPIES[0]: ("dump_copies",),
    DUMPS["retrained"][0]: ("score",),
    DUMPS["unlearned"][1]: ("score",),
    DUMPS["originals"][0]: ("score",),
    DOCUMENT: ("leaderboard",),
    REPLICATES: ("leaderboard",),
}
SIBLINGS = {
    DATA: SPLIT,
    SPLIT: DATA,
    FULL: RETAIN[0],
    RETAIN[0]: RETAIN[1],
    COPIES[0]: RETAIN[0],
    DUMPS["retrained"][0]: DUMPS["retrained"][1],
    DUMPS["unlearned"][1]: DUMPS["retrained"][1],
    DUMPS["originals"][0]: DUMPS["retrained"][0],
    DOCUMENT: "leaderboard.json",
    REPLICATES: SPLIT,
}


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 4
    path.write_bytes(bytes(data))


def columns(frame):
    """Columns of a dump as the job writes them."""
    found = {name: frame[name].to_numpy() for name in frame}
    found["role"] = pa.DictionaryArray.from_arrays(
        frame["role"].cat.codes.to_numpy(), list(frame["role"].cat.categories)
    )
    return found


def remade(path, change):
    """Write an artifact again, sound in itself, with a changed header."""
    reader, writer = {
        ".npz": (read_npz, write_npz),
        ".safetensors": (read_models, write_models),
        ".parquet": (read_parquet, write_parquet),
        ".json": (read_document, None),
    }[path.suffix]
    if writer is None:
        document = reader(path)
        document["provenance"] = change(document["provenance"])
        write_document(path, document)
        return
    content, header = reader(path)
    if path.suffix == ".parquet":
        content = columns(content)
    writer(path, content, change(header))


DAMAGES = {
    "empty": lambda path, sibling: path.write_bytes(b""),
    "truncated by one byte": lambda path, sibling: path.write_bytes(path.read_bytes()[:-1]),
    "truncated by half": lambda path, sibling: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a bit near the beginning": lambda path, sibling: flip(path, 0.02),
    "a bit in the first third": lambda path, sibling: flip(path, 0.31),
    "a bit in the middle": lambda path, sibling: flip(path, 0.5),
    "a bit near the end": lambda path, sibling: flip(path, 0.9),
    "another file in its place": lambda path, sibling: shutil.copyfile(sibling, path),
    "another kind of file": lambda path, sibling: path.write_text("to be or not to be\n" * 50),
    "another key": lambda path, sibling: remade(path, lambda header: {**header, "key": "f" * 16}),
}


def test_sound_files_are_read_by_every_job(jobs):
    for name in {reader for readers in READERS.values() for reader in readers}:
        getattr(jobs, name)()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READERS)
def test_damage_is_refused_by_every_reader(jobs, name, damage):
    path = jobs.path(name)
    DAMAGES[damage](path, jobs.path(SIBLINGS[name]))

    for reader in READERS[name]:
        with pytest.raises(StoreError) as refused:
            getattr(jobs, reader)()
        assert str(path) in str(refused.value)
        assert "snakemake --force" in str(refused.value) or "Delete it" in str(refused.value)
    assert not list(jobs.out.glob("*"))


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_named(jobs, name):
    jobs.path(name).unlink()
    for reader in READERS[name]:
        with pytest.raises((StoreError, OSError)) as refused:
            getattr(jobs, reader)()
        assert str(jobs.path(name)) in str(refused.value)


# Made under another configuration, data, seed, model or version ------------------------------------------------


def changed(origin: Origin, part: str) -> Origin:
    """The origin an artifact would have, had ``part`` been another."""
    if part in origin.settings:
        return dataclasses.replace(origin, settings={**origin.settings, part: "another"})
    assert part in origin.inputs
    return dataclasses.replace(origin, inputs={**origin.inputs, part: "0" * 16})


@pytest.mark.parametrize("part", ["model", "group", "split", "models"])
def test_a_dump_of_another_origin_is_refused_by_score_and_named_by_the_workflow(jobs, finished, tmp_path, part):
    name = DUMPS["unlearned"][0]
    other = changed(jobs.plan.dump_origin("unlearn/finetune"), part).header()
    remade(jobs.path(name), lambda header: {**header, **other})

    with pytest.raises(StoreError, match=f"key is {other['key']}, this run needs"):
        jobs.score()
    # Snakemake has no record of that file: nothing may be made from it or instead of it.
    shutil.copytree(finished.folder, tmp_path / "run", ignore=shutil.ignore_patterns("results"))
    shutil.copytree(jobs.results, tmp_path / "run" / "results")
    answer = finished.run("-n", cwd=tmp_path / "run")
    assert answer.returncode != 0
    assert f"results/{name} was made from something else" in answer.stdout
    assert part in answer.stdout


def test_foreign_key(jobs, finished, tmp_path):
    remade(jobs.path(DOCUMENT), lambda provenance: {**provenance, "key": "f" * 16})
    shutil.copytree(finished.folder, tmp_path / "run", ignore=shutil.ignore_patterns("results"))
    shutil.copytree(jobs.results, tmp_path / "run" / "results")

    answer = finished.run("-n", cwd=tmp_path / "run")

    assert answer.returncode != 0
    assert f"results/{DOCUMENT} was made from something else" in answer.stdout


# Sound files with wrong contents ----------------------------------------------------------------------------


def rewritten(path, change):
    """Write a dump again, with right checksums, after a change of its rows."""
    frame, header = read_parquet(path)
    frame = change(frame, header)
    write_parquet(path, columns(frame), header)


def not_a_number(frame, header):
    frame.loc[frame.index[3], "confidence"] = np.nan
    return frame


def infinite(frame, header):
    frame.loc[frame.index[3], "loss"] = np.inf
    return frame


def one_model_twice(frame, header):
    frame.loc[frame["model"] == 5, "model"] = 4
    return frame


def another_order(frame, header):
    header["order"] = "0" * 16
    return frame


def other_examples(frame, header):
    frame["example"] = frame["example"] + 1
    return frame


def a_row_less(frame, header):
    return frame.iloc[1:]


def other_models(frame, header):
    frame["model"] += 4
    header["models"] = [8, 9, 10, 11]
    return frame


WRONG = [
    (not_a_number, "confidence of model 4"),
    (infinite, "loss of model 4"),
    (one_model_twice, "lacks rows or repeats some"),
    (another_order, "different splits"),
    (other_examples, "do not list the same examples"),
    (a_row_less, "lacks rows or repeats some"),
    (other_models, "its name says 4..7"),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[change.__name__ for change, _ in WRONG])
@pytest.mark.parametrize("side", ["retrained", "unlearned"])
def test_wrong_rows_are_refused(jobs, side, change, said):
    path = jobs.path(DUMPS[side][1])
    rewritten(path, change)

    with pytest.raises(StoreError, match=said) as refused:
        jobs.score()
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("change", [another_order, other_examples])
def test_a_whole_side_in_another_order_is_refused(jobs, change):
    for name in DUMPS["unlearned"]:
        rewritten(jobs.path(name), change)

    with pytest.raises(StoreError, match=r"unlearned.*forget"):
        jobs.score()


def test_a_shard_left_out_or_given_twice_is_refused(jobs):
    for shards in (DUMPS["retrained"][:1], DUMPS["retrained"][:1] * 2):
        with pytest.raises(StoreError, match=r"needed are 0\.\.7 once each"):
            jobs.score({**DUMPS, "retrained": shards})


def test_one_model_on_both_sides_is_refused(jobs):
    theirs, _ = read_parquet(jobs.path(DUMPS["retrained"][0]))

    def copied(frame, header):
        for column in ("confidence", "loss"):
            frame[column] = theirs[column].to_numpy()
        return frame

    rewritten(jobs.path(DUMPS["unlearned"][0]), copied)
    with pytest.raises(StoreError, match="bit by bit"):
        jobs.score()


def test_forget_examples_among_the_retained_are_refused(jobs):
    arrays, header = read_npz(jobs.path(SPLIT))
    arrays["retain"] = np.sort(np.append(arrays["retain"], arrays["forget"][0]))
    write_npz(jobs.path(SPLIT), arrays, header)

    for reader in READERS[SPLIT]:
        with pytest.raises(StoreError, match=r"split\.npz"):
            getattr(jobs, reader)()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (DATA, "empty"),
        (SPLIT, "a bit in the middle"),
        (FULL, "empty"),
        (RETAIN[0], "a bit in the middle"),
        (DUMPS["unlearned"][1], "empty"),
        (DOCUMENT, "a bit in the middle"),
    ],
)
def test_the_advice_mends_the_file_and_nothing_else_is_made(finished, tmp_path, name, damage):
    folder = shutil.copytree(finished.folder, tmp_path / "run")
    sound = folder.joinpath("results", name).read_bytes()
    DAMAGES[damage](folder / "results" / name, None)
    times = {path: path.stat().st_mtime_ns for path in folder.joinpath("results").rglob("*.*") if path.name != name}

    mended = finished.run("--cores", "2", "--force", f"results/{name}", cwd=folder)

    assert mended.returncode == 0, mended.stdout
    assert finished.counts(cwd=folder) == {}
    if name != DOCUMENT:
        assert len(folder.joinpath("results", name).read_bytes()) == pytest.approx(len(sound), abs=50)
    changed = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert not {path for path in changed if path.suffix in (".npz", ".safetensors", ".parquet")} - {
        folder / "results" / name,
        folder / "results/samples_finetune.parquet",
        folder / "results/replicates_finetune.npz",
    }
