"""Forget-set strategies: what each chooses, and what each refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning_metric import config
from unlearning_metric.config import FORGET_STRATEGIES
from unlearning_metric.config.pages import COMMAND, page
from unlearning_metric.data.images import DataError
from unlearning_metric.forget.split import Pool, Split, count_duplicates, make_split
from unlearning_metric.jobs.split_data import split_data
from unlearning_metric.store.files import read_npz, write_npz
from unlearning_metric.store.stored import Stored
from unlearning_metric.strategies import STRATEGIES
from unlearning_metric.strategies.by_index import read_indices

RNG = np.random.default_rng(0)
ROOT = Path(__file__).resolve().parents[3]
Y_TRAIN = RNG.permutation(np.repeat(np.arange(4), [200, 100, 60, 40]))
Y_TEST = np.arange(4).repeat(10)
GROUPS = RNG.integers(100, 130, size=400)
CLASSES = ("ant", "bee", "cat", "dog")


def split(seed=0, train_size=200, validation_size=100, given=None, **forget) -> Split:
    sizes = {"train_size": train_size, "validation_size": validation_size, "test_size": None, "probe_size": 30}
    settings = config.SplitSettings(**sizes, forget=config.Forget(**forget))
    return make_split(Pool(Y_TRAIN, **(given or {})), Y_TEST, settings, seed).check()


def trained(parts: Split) -> np.ndarray:
    return np.sort(np.concatenate([parts.forget, parts.retain]))


def test_the_page_of_the_configuration_is_that_of_its_records():
    assert tuple(STRATEGIES) == FORGET_STRATEGIES
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    assert text == page(text), f"run: {COMMAND}"


def test_a_stratified_forget_set_has_the_shares_of_the_classes():
    parts = split(strategy="random", count=40, stratified=True)
    assert np.bincount(Y_TRAIN[parts.forget]).tolist() == [20, 10, 6, 4]
    assert not np.array_equal(parts.forget, split(1, strategy="random", count=40, stratified=True).forget)


def test_a_part_of_some_classes_is_random_within_them():
    parts = split(strategy="subclass", labels=[1, 3], fraction=0.5)
    assert len(parts.forget) == 35  # of 50 and 20 training examples
    assert set(Y_TRAIN[parts.forget]) == {1, 3}
    other = split(1, train_size=300, validation_size=0, strategy="subclass", labels=[1], count=5)
    assert (Y_TRAIN[other.forget].tolist(), len(other.retain)) == ([1] * 5, 295)


@pytest.mark.parametrize(("label", "number"), [("cat", 2), ("2", 2), (2, 2)])
def test_a_class_has_a_name_and_a_number(label, number):
    parts = split(strategy="class", label=label, given={"classes": CLASSES})
    assert set(Y_TRAIN[parts.forget]) == {number}
    assert number not in Y_TRAIN[parts.retain]


def test_labels_that_are_numbers_are_never_taken_for_places():
    named = {"classes": ("3", "2", "1", "9")}
    assert set(Y_TRAIN[split(strategy="class", label=3, given=named).forget]) == {0}
    with pytest.raises(DataError, match=r"forget\.label 0 has 0 of 200 training examples; labels present: 3, 2, 1, 9"):
        split(strategy="class", label=0, given=named)


def test_more_of_some_classes_than_there_are_is_refused():
    with pytest.raises(DataError, match=r"51 of 50 .*bee"):
        split(strategy="subclass", labels=["bee"], count=51, given={"classes": CLASSES})


def test_groups_of_one_number_but_for_its_upper_bits_are_two():
    far = np.where(GROUPS == 104, 10_000_000_001, np.where(GROUPS == 109, 14_294_967_297, GROUPS))
    parts = split(strategy="groups", groups=[10_000_000_001], given={"groups": far})
    assert set(far[parts.forget]) == {10_000_000_001}
    assert 14_294_967_297 in far[parts.retain]


@pytest.mark.parametrize("chosen", [{"count": 7}, {"fraction": 0.25}, {"groups": [104, 109]}], ids=str)
def test_groups_are_forgotten_whole(chosen):
    parts = split(strategy="groups", given={"groups": GROUPS}, **chosen)
    of_forget, of_retain = set(GROUPS[parts.forget]), set(GROUPS[parts.retain])
    assert not of_forget & of_retain
    groups = len(of_forget | of_retain)
    assert len(of_forget) == chosen.get("count", len(chosen.get("groups", ())) or round(0.25 * groups))
    assert chosen.get("groups", sorted(of_forget)) == sorted(of_forget)


def test_sorted_groups_are_the_first_that_have_training_examples():
    parts = split(strategy="groups", count=3, order="sorted", given={"groups": np.where(GROUPS == 100, 129, GROUPS)})
    assert sorted(set(GROUPS[parts.forget])) == [101, 102, 103]
    drawn = [tuple(sorted(set(GROUPS[split(seed, strategy="groups", count=3, given={"groups": GROUPS}).forget])))
             for seed in range(3)]  # fmt: skip
    assert len(set(drawn)) == 3


@pytest.mark.parametrize(
    ("chosen", "groups", "said"),
    [
        ({"count": 2}, None, "these have none. casia_surf has them"),
        ({"groups": [104, 7, 8]}, GROUPS, r"forget\.groups: 7, 8 have no training example \(2 of 3\)"),
        ({"count": 31}, GROUPS, "31 of 30 groups"),
        ({"count": 30}, GROUPS, "200 of 200 training examples: it must leave at least one"),
    ],
)
def test_groups_that_are_not_there_are_refused(chosen, groups, said):
    with pytest.raises(DataError, match=said):
        split(strategy="groups", given={"groups": groups}, **chosen)


LISTED = np.sort(RNG.choice(400, size=25, replace=False))


def mask(path):
    np.save(path, np.isin(np.arange(400), LISTED))


WRITERS = {
    "a.npy": lambda path: np.save(path, LISTED[::-1]),
    "mask.npy": mask,
    "a.npz": lambda path: np.savez(path, anything=LISTED),
    "two.npz": lambda path: np.savez(path, index=LISTED, other=np.zeros(3)),
    "a.txt": lambda path: path.write_text("\n".join(map(str, LISTED))),
    "commas.txt": lambda path: path.write_text(", ".join(map(str, LISTED))),
    "a.csv": lambda path: path.write_text("\n".join(map(str, LISTED))),
    "header.csv": lambda path: path.write_text("example\n" + "\n".join(map(str, LISTED))),
    "columns.csv": lambda path: path.write_text("name,index\n" + "\n".join(f"x,{index}" for index in LISTED)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_list_of_indices_is_read_in_each_form(tmp_path, name):
    WRITERS[name](tmp_path / name)
    assert np.array_equal(read_indices(tmp_path / name, 400), LISTED)


@pytest.mark.parametrize(("train_size", "validation_size"), [(None, 0), (None, 100), (200, 150)])
def test_listed_examples_are_the_forget_set_whatever_else_is_trained_on(tmp_path, train_size, validation_size):
    np.save(tmp_path / "a.npy", LISTED)
    parts = split(
        train_size=train_size, validation_size=validation_size, strategy="indices", path=str(tmp_path / "a.npy")
    )
    assert np.array_equal(parts.forget, LISTED)
    assert len(parts.validation) == validation_size
    assert len(trained(parts)) == (train_size or 400 - validation_size)


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("a.npy", lambda path: np.save(path, [3, 400, -1]), "2 indices outside the training pool, the first is 400"),
        ("a.npy", lambda path: np.save(path, [3, 5, 3]), "1 indices more than once, the first is 3"),
        ("a.npy", lambda path: np.save(path, [1.0, 2.0]), r"holds float64 \[2\]"),
        ("a.npy", lambda path: np.save(path, np.zeros((3, 2), int)), r"holds int64 \[3, 2\]"),
        ("a.npy", lambda path: np.save(path, np.ones(399, bool)), r"holds bool \[399\]"),
        ("a.npy", lambda path: np.save(path, np.array([{}], dtype=object)), "cannot be read"),
        ("a.npz", lambda path: np.savez(path, a=[1], b=[2]), "holds a, b: call the array of indices index"),
        ("a.csv", lambda path: path.write_text("a,b\n1,2\n"), "has the columns a, b"),
        ("a.csv", lambda path: path.write_text(""), "is empty"),
        ("a.txt", lambda path: path.write_text("1 two"), "'two' cannot be read"),
        ("a.txt", lambda path: path.write_text(""), "is empty"),
        ("a.txt", lambda path: path.write_text(" ".join(map(str, range(200)))), "200 examples, and 200 are trained on"),
    ],
)
def test_lists_that_do_not_fit_are_refused(tmp_path, name, write, said):
    write(tmp_path / name)
    with pytest.raises(DataError, match=said):
        split(strategy="indices", path=str(tmp_path / name))


def test_the_list_of_the_seed_project_is_torchs():
    listed = read_indices(Path(__file__).resolve().parents[3] / "config" / "forget" / "seed_cifar10.txt", 50_000)
    drawn = torch.randperm(50_000, generator=torch.Generator().manual_seed(0))[:1000]
    assert np.array_equal(listed, np.sort(drawn.numpy()))


def test_validation_examples_of_the_source_stay_apart():
    aside = np.arange(40, 80)
    parts = split(train_size=None, validation_size=0, strategy="random", count=10, given={"set_aside": aside})
    assert np.array_equal(parts.validation, aside)
    assert np.array_equal(trained(parts), np.setdiff1d(np.arange(400), aside))


def test_a_list_may_not_name_what_the_source_sets_aside(tmp_path):
    np.save(tmp_path / "a.npy", [3, 41])
    with pytest.raises(DataError, match="validation, the first is 41"):
        split(
            train_size=None, validation_size=0, strategy="indices", path=str(tmp_path / "a.npy"),
            given={"set_aside": np.arange(40, 80)},
        )  # fmt: skip


def test_the_hardest_and_the_easiest_are_the_ends_of_one_order():
    difficulty = RNG.permutation(200).astype(float)
    given = {"difficulty": difficulty}
    hard = split(strategy="hardest", count=20, given=given)
    easy = split(strategy="easiest", fraction=0.1, given=given)
    order = trained(hard)
    assert sorted(difficulty[np.searchsorted(order, hard.forget)]) == list(range(180, 200))
    assert sorted(difficulty[np.searchsorted(order, easy.forget)]) == list(range(20))


def test_equals_of_forget_examples_in_the_retain_set_are_counted():
    images = RNG.integers(256, size=(10, 2, 2, 1), dtype=np.uint8)
    images[[1, 2]] = images[7]
    images[3] = images[9]
    images[0] = images[4]
    none = np.empty(0, int)
    parts = Split(np.array([0, 1, 2, 4]), np.array([3, 5, 6, 7]), np.array([9]), none, none)
    assert count_duplicates(images, parts) == 2


def test_the_split_says_how_many_it_found(tmp_path):
    images = RNG.integers(256, size=(400, 2, 2, 1), dtype=np.uint8)
    images[:] = images[:1]
    arrays = {"x_train": images, "y_train": Y_TRAIN, "x_test": images[:40], "y_test": Y_TEST}
    write_npz(tmp_path / "d.npz", arrays, {"key": "d", "num_classes": 4, "classes": list(CLASSES)})
    forget = config.Forget(strategy="class", label="dog").model_dump(mode="json")
    settings = {"train_size": None, "validation_size": 0, "test_size": None, "probe_size": 5, "forget": forget}
    split_data(Stored(tmp_path / "d.npz", "d"), tmp_path / "s.npz", settings, 0, {"key": "s"})
    assert read_npz(tmp_path / "s.npz", "s")[1]["duplicates"] == 40
