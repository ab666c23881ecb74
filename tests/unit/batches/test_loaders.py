"""Loaders: batches that behave like an ordinary DataLoader's."""

import itertools
import multiprocessing

import numpy as np
import pytest
import torch

from unlearning_metric.batches import reads as counters
from unlearning_metric.batches.datasets import FORMS, ImageDataset
from unlearning_metric.batches.loaders import ImageLoader

COUNT = 13
IMAGES = np.random.default_rng(0).integers(256, size=(COUNT, 4, 5, 3), dtype=np.uint8)
MEAN, STD = np.array([100.0, 120.0, 140.0], np.float32), np.array([50.0, 60.0, 70.0], np.float32)


@pytest.fixture
def dataset() -> ImageDataset:
    # Labels number the images, so that a pass shows its order.
    return ImageDataset(IMAGES, np.arange(COUNT), MEAN, STD)


def shuffled(dataset, seed=0, batch_size=4) -> ImageLoader:
    return ImageLoader(dataset, batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed))


def order(loader) -> list[int]:
    return [int(label) for _, labels in loader for label in labels]


def expected() -> np.ndarray:
    return ((IMAGES - MEAN.astype(np.float64)) / STD).transpose(0, 3, 1, 2)


def test_images_are_normalised_by_channel_and_channels_first(dataset):
    images = torch.cat([images for images, _ in ImageLoader(dataset, 5)])
    assert images.dtype == torch.float32
    np.testing.assert_allclose(images.numpy(), expected(), atol=1e-5)


def test_an_item_equals_its_row_of_a_batch(dataset):
    images, labels = dataset.batch(torch.tensor([7, 2]))
    for row, index in enumerate((7, 2)):
        image, label = dataset[index]
        assert torch.equal(image, images[row])
        assert label == labels[row] == index


def test_batches_are_channels_last_in_memory(dataset):
    images, _ = next(iter(ImageLoader(dataset, 4)))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_reading_changes_no_stored_image(dataset):
    list(shuffled(dataset))
    assert np.array_equal(dataset.images.numpy(), IMAGES)


@pytest.mark.parametrize("shape", [(6,), (3, 4)], ids=str)
def test_feature_vectors_keep_their_shape_and_are_normalised_by_their_last_axis(shape):
    vectors = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    mean, std = np.arange(shape[-1], dtype=np.float32), np.full(shape[-1], 2.0, np.float32)
    dataset = ImageDataset(vectors.copy(), np.arange(5), mean, std)
    images, _ = next(iter(ImageLoader(dataset, 5)))
    np.testing.assert_allclose(images.numpy(), (vectors - mean) / std, atol=1e-6)
    assert torch.equal(dataset[3][0], images[3])
    assert torch.equal(dataset[-1][0], images[4])
    assert np.array_equal(dataset.images.numpy(), vectors)


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 4, 1]), (13, [13]), (5, [5, 5, 3]), (99, [13])])
def test_len_counts_the_batches_and_the_last_may_be_smaller(dataset, batch_size, sizes):
    for loader in (ImageLoader(dataset, batch_size), shuffled(dataset, batch_size=batch_size)):
        assert [len(labels) for _, labels in loader] == sizes
        assert len(loader) == len(sizes)


def test_every_pass_sees_every_example_once(dataset):
    loader = shuffled(dataset)
    for _ in range(3):
        assert sorted(order(loader)) == list(range(COUNT))


def test_an_unshuffled_loader_keeps_the_order_in_every_pass(dataset):
    loader = ImageLoader(dataset, 4)
    assert order(loader) == order(loader) == list(range(COUNT))


def test_passes_differ_and_the_same_generator_seed_repeats_them(dataset):
    one, two = shuffled(dataset, 5), shuffled(dataset, 5)
    passes = [order(one) for _ in range(3)]
    assert passes == [order(two) for _ in range(3)]
    assert len({tuple(p) for p in passes}) == 3
    assert order(shuffled(dataset, 6)) != passes[0]


def test_loaders_neither_use_nor_disturb_the_global_generator(dataset):
    torch.manual_seed(0)
    first = order(shuffled(dataset))
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert order(shuffled(dataset)) == first
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)


def test_two_loaders_used_in_turns_do_not_disturb_each_other(dataset):
    alone = [order(shuffled(dataset, seed)) for seed in (1, 2)]
    one, two = shuffled(dataset, 1), shuffled(dataset, 2)
    pairs = [(a.tolist(), b.tolist()) for (_, a), (_, b) in zip(one, two, strict=True)]
    assert [[i for batch in side for i in batch] for side in zip(*pairs, strict=True)] == alone


def test_a_cycled_loader_goes_on_past_its_end(dataset):
    batches = list(itertools.islice(itertools.cycle(shuffled(dataset)), 6))
    assert [len(labels) for _, labels in batches] == [4, 4, 4, 1, 4, 4]


def test_an_ordinary_dataloader_takes_the_dataset(dataset):
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True)
    seen = {}
    for images, labels in loader:
        assert images.shape[1:] == (3, 4, 5)
        seen.update(zip(labels.tolist(), images, strict=True))
    np.testing.assert_allclose(torch.stack([seen[i] for i in range(COUNT)]).numpy(), expected(), atol=1e-5)


def test_a_subset_and_a_concatenation_take_the_dataset(dataset):
    part = torch.utils.data.Subset(dataset, [3, 9])
    both = torch.utils.data.ConcatDataset([part, dataset])
    loader = torch.utils.data.DataLoader(both, batch_size=4)
    assert order(loader) == [3, 9, *range(COUNT)]


def test_a_shuffled_loader_without_its_own_generator_is_refused(dataset):
    with pytest.raises(ValueError, match="generator"):
        ImageLoader(dataset, 4, shuffle=True)


def test_reads_are_counted_in_workers_where_there_is_no_shared_memory(monkeypatch):
    def refuse(self):
        raise RuntimeError("unable to open shared memory object </torch_1> in read-write mode")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    reads = counters.Reads()
    reads.add(2)
    process = multiprocessing.get_context("fork").Process(target=reads.add, args=[3])
    process.start()
    process.join()
    assert reads.total() == 5


def test_the_form_of_a_data_set_is_its_own(dataset):
    given = dataset.duplicate(FORMS["kaggle"])
    given._form.clear()
    assert set(dataset.duplicate(FORMS["kaggle"])[0]) == {"image", "image_id", "age_group"}
