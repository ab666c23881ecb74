"""Ways to walk through a loader's examples."""

import pytest
import torch
from method_files import Loader, load
from torch.utils.data import TensorDataset

_batches = load("_batches")


def loader(count, batch_size, start=0):
    """Examples whose image and label are their number."""
    numbers = torch.arange(start, start + count)
    return Loader(TensorDataset(numbers.float()[:, None, None, None], numbers), batch_size, seed=0)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (6, 3, [3, 3]), (8, 3, [3, 3, 2]), (7, 3, [3, 4]), (4, 3, [4]), (2, 3, [2]), (1, 3, [1]), (3, 1, [1, 1, 1]),
        (0, 3, []),
    ],
)  # fmt: skip
def test_a_trailing_single_example_joins_the_batch_before_it(count, batch_size, sizes):
    assert _batches.batch_sizes(count, batch_size) == sizes


@pytest.mark.parametrize("own", [1, 4, 5, 16, 40])
@pytest.mark.parametrize("wanted", [2, 4, 7, 16, 17, 100])
def test_cutting_anew_keeps_every_example_its_order_and_its_label(own, wanted):
    batches = _batches.Batches(loader(17, own), wanted)
    seen = list(batches)
    assert len(seen) == len(batches)
    assert all(torch.equal(images.flatten().long(), labels) for images, labels in seen)
    assert torch.equal(torch.cat([labels for _, labels in seen]), torch.cat([labels for _, labels in loader(17, own)]))
    assert [len(labels) for _, labels in seen] == _batches.batch_sizes(17, wanted)


def test_the_loaders_own_batch_size_is_the_default_and_each_pass_is_shuffled_anew():
    batches = _batches.Batches(loader(20, 8))
    one, two = (torch.cat([labels for _, labels in batches]) for _ in range(2))
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    assert not torch.equal(one, two)
    assert torch.equal(one.sort().values, two.sort().values)


def test_a_set_of_one_example_is_given_as_a_batch_that_holds_it_twice():
    ((images, labels),) = _batches.Batches(loader(1, 8, start=3))
    assert images.flatten().tolist() == [3, 3]
    assert labels.tolist() == [3, 3]


def test_an_empty_set_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"empty.*data\.validation_size"):
        _batches.Batches(loader(0, 8))


def test_in_order_is_the_order_of_the_data_and_drawn_is_not():
    data = loader(30, 8).dataset
    torch.manual_seed(0)
    assert torch.cat([labels for _, labels in _batches.in_order(data, 7)]).tolist() == list(range(30))
    drawn = torch.cat([labels for _, labels in _batches.drawn(data, 7)]).tolist()
    assert drawn != list(range(30))
    assert sorted(drawn) == list(range(30))


def test_endless_begins_a_new_pass_after_the_last_batch():
    batches = _batches.endless(_batches.Batches(loader(4, 2)))
    assert sorted(torch.cat([next(batches)[1] for _ in range(6)]).tolist()) == sorted(list(range(4)) * 3)


@pytest.mark.parametrize("retain_count", [None, 5])
def test_a_union_holds_every_forget_example_once_and_marks_it(retain_count):
    torch.manual_seed(0)
    retain, forget = loader(20, 6), loader(7, 3, start=100)
    seen = list(_batches.union(retain, forget, 4, retain_count))
    labels, marks = torch.cat([batch[1] for batch in seen]), torch.cat([batch[2] for batch in seen])
    assert all(torch.equal(images.flatten().long(), labels) for images, labels, _ in seen)
    assert torch.equal(marks, labels >= 100)
    assert sorted(labels[marks].tolist()) == list(range(100, 107))
    assert len(set(labels[~marks].tolist())) == (retain_count or 20) == int((~marks).sum())
    assert [len(batch[1]) for batch in seen] == _batches.batch_sizes(len(labels), 4)


def test_every_place_of_a_union_is_as_likely_to_be_a_forget_example():
    torch.manual_seed(0)
    first = [next(_batches.union(loader(9, 9), loader(3, 3, start=100), 4))[2] for _ in range(400)]
    # Each batch of 4 of the 12 holds one of the 3 on average.
    assert torch.stack(first).float().sum(1).mean().item() == pytest.approx(1.0, abs=0.12)
