"""Splits: who is trained on, forgotten, kept and tested."""

import numpy as np
import pytest

from unlearning_metric.config import SplitSettings
from unlearning_metric.data.images import DataError
from unlearning_metric.forget.split import Pool, Split, make_second_split, make_split

RNG = np.random.default_rng(0)
Y_TRAIN = RNG.permutation(np.repeat(np.arange(4), [200, 100, 60, 40]))
Y_TEST = RNG.permutation(np.repeat(np.arange(4), [50, 25, 15, 10]))
SETTINGS = {
    "train_size": 200,
    "validation_size": 100,
    "test_size": 40,
    "probe_size": 30,
    "forget": {"strategy": "random", "count": 25},
}


def split(seed: int = 0, **changes) -> Split:
    return make_split(Pool(Y_TRAIN), Y_TEST, SplitSettings.model_validate({**SETTINGS, **changes}), seed)


def test_sets_are_disjoint_sorted_and_of_the_sizes_asked_for():
    parts = split()
    assert [len(p) for p in parts.arrays().values()] == [25, 175, 100, 40, 30]
    trained = np.concatenate([parts.forget, parts.retain, parts.validation])
    assert len(np.unique(trained)) == 300
    assert set(parts.probe) <= set(parts.retain)
    for array in parts.arrays().values():
        assert array.dtype == np.int64
        assert (np.diff(array) > 0).all()
    assert parts.test.max() < len(Y_TEST)


def test_without_sizes_forget_and_retain_cover_all_but_the_validation_examples():
    parts = split(train_size=None, test_size=None)
    everything = np.sort(np.concatenate([parts.forget, parts.retain, parts.validation]))
    assert np.array_equal(everything, np.arange(len(Y_TRAIN)))
    assert np.array_equal(parts.test, np.arange(len(Y_TEST)))


def test_without_validation_examples_the_whole_pool_is_trained_on():
    parts = split(train_size=None, validation_size=0)
    assert np.array_equal(np.sort(np.concatenate([parts.forget, parts.retain])), np.arange(len(Y_TRAIN)))
    assert len(parts.validation) == 0


def test_training_validation_and_test_sets_keep_the_class_shares():
    parts = split()
    train = np.concatenate([parts.forget, parts.retain])
    assert np.bincount(Y_TRAIN[train]).tolist() == [100, 50, 30, 20]
    assert np.bincount(Y_TRAIN[parts.validation]).tolist() == [50, 25, 15, 10]
    assert np.bincount(Y_TEST[parts.test]).tolist() == [20, 10, 6, 4]


def test_class_shares_that_do_not_divide_are_off_by_less_than_one():
    parts = split(train_size=37)
    train = np.concatenate([parts.forget, parts.retain])
    assert len(train) == 37
    assert (np.abs(np.bincount(Y_TRAIN[train]) - 37 * np.array([0.5, 0.25, 0.15, 0.1])) < 1).all()


def test_a_fraction_is_taken_of_the_training_set():
    parts = split(forget={"strategy": "random", "count": None, "fraction": 0.1})
    assert (len(parts.forget), len(parts.retain)) == (20, 180)


def test_class_forgets_every_training_example_of_the_class_and_no_other():
    parts = split(forget={"strategy": "class", "label": 2})
    assert len(parts.forget) == 30
    assert (Y_TRAIN[parts.forget] == 2).all()
    assert (Y_TRAIN[parts.retain] != 2).all()


def test_random_forgetting_does_not_follow_the_class_or_the_order():
    chosen = split(forget={"strategy": "random", "count": 100})
    assert len(np.unique(Y_TRAIN[chosen.forget])) == 4
    train = np.sort(np.concatenate([chosen.forget, chosen.retain]))
    assert not np.array_equal(chosen.forget, train[:100])


@pytest.mark.parametrize("count", [200, 201])
def test_a_forget_set_as_large_as_the_training_set_is_refused(count):
    with pytest.raises(DataError, match=f"{count} of 200"):
        split(forget={"strategy": "random", "count": count})


def test_a_fraction_that_rounds_to_no_example_is_refused():
    with pytest.raises(DataError, match="0 of 200"):
        split(forget={"strategy": "random", "count": None, "fraction": 0.001})


def test_a_class_without_training_examples_is_refused_with_those_there_are():
    with pytest.raises(DataError, match="0, 1, 2, 3"):
        split(forget={"strategy": "class", "label": 7})


@pytest.mark.parametrize("changes", [{"train_size": 301}, {"validation_size": 201}, {"test_size": 101}])
def test_more_examples_than_the_pools_hold_are_refused(changes):
    with pytest.raises(DataError, match=r"400 images|100 images"):
        split(**changes)


def test_a_probe_larger_than_the_retain_set_is_all_of_it():
    parts = split(probe_size=10_000)
    assert np.array_equal(parts.probe, parts.retain)


def test_the_seed_alone_decides_the_split():
    one, same, other = split(1), split(1), split(2)
    for name, array in one.arrays().items():
        assert np.array_equal(array, same.arrays()[name])
        assert not np.array_equal(array, other.arrays()[name])
    assert one.order_hash() == same.order_hash() != other.order_hash()


def test_another_forget_set_leaves_training_validation_and_test_sets():
    few, many = split(), split(forget={"strategy": "random", "count": 60})
    assert np.array_equal(few.test, many.test)
    assert np.array_equal(few.validation, many.validation)
    assert set(few.forget) | set(few.retain) == set(many.forget) | set(many.retain)


def test_the_order_hash_sees_order_membership_and_which_set_an_example_is_in():
    parts = split().arrays()
    variants = [parts, {**parts, "forget": parts["forget"][::-1]}, {**parts, "test": parts["test"][:-1]}]
    variants.append({**parts, "forget": parts["retain"], "retain": parts["forget"]})
    moved = {"forget": parts["forget"][:-1], "retain": np.concatenate([parts["forget"][-1:], parts["retain"]])}
    variants.append({**parts, **moved})
    assert len({Split(**variant).order_hash() for variant in variants}) == 5


def second(first: Split, **forget) -> Split:
    wanted = {"strategy": "random", "count": 25, **forget}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    return make_second_split(first, Pool(Y_TRAIN), SplitSettings.model_validate({**SETTINGS, "forget": wanted}), 7)


def test_a_second_split_forgets_retained_examples_alone_and_leaves_the_first_forget_set_out():
    first = split()
    other = second(first).check()
    assert len(other.forget) == 25
    assert set(other.forget) <= set(first.retain)
    assert set(other.forget) | set(other.retain) == set(first.retain)
    assert (other.test == first.test).all()
    assert (other.validation == first.validation).all()


def test_a_second_split_of_a_class_that_is_forgotten_already_is_refused():
    first = split(forget={"strategy": "class", "label": 3})
    with pytest.raises(DataError, match=r"\(tuning\.forget\): forget\.label 3 has 0 of"):
        second(first, strategy="class", label=3)


def test_a_second_split_takes_no_listed_example_that_the_first_forgets(tmp_path):
    first = split()
    path = tmp_path / "list.csv"
    path.write_text("\n".join(map(str, [first.forget[0], first.retain[0]])) + "\n")
    with pytest.raises(DataError, match=rf"tuning\.forget\.path.*retain set.* {first.forget[0]}\b"):
        second(first, strategy="indices", path=str(path))


def test_a_second_split_by_difficulty_takes_the_hardest_of_those_that_are_left():
    # As measured: of the whole training set, in ascending order of the examples.
    first = split()
    trained = np.union1d(first.forget, first.retain)
    difficulty = np.random.default_rng(1).random(len(trained))
    settings = SplitSettings.model_validate({**SETTINGS, "forget": {"strategy": "hardest", "count": 25}})
    other = make_second_split(first, Pool(Y_TRAIN, difficulty=difficulty), settings, 7)
    left = np.setdiff1d(trained, first.forget)
    of_left = difficulty[np.isin(trained, left)]
    assert set(other.forget) == set(left[np.argsort(of_left)[-25:]])
