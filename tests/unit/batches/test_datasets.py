"""Data sets and loaders of a method are what users of PyTorch know: read as ever, and what is assigned counts."""

import copy

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset
from torchvision import transforms

from unlearning_metric.batches.datasets import AssignedError, ImageDataset
from unlearning_metric.batches.loaders import ImageLoader

LABELS = np.array([2, 0, 1, 1, 0, 2, 2])
NAMES = ("ant", "bee", "cat")


@pytest.fixture
def dataset():
    pixels = np.random.default_rng(0).integers(256, size=(7, 8, 8, 3), dtype=np.uint8)
    return ImageDataset(pixels, LABELS, np.full(3, 127.0), np.full(3, 74.0), classes=NAMES)


@pytest.fixture
def loader(dataset):
    return ImageLoader(dataset, 3, shuffle=True, generator=torch.Generator().manual_seed(0))


def labels(batches):
    return sorted(label for _, given in batches for label in given.tolist())


def test_a_loader_is_a_dataloader_with_all_its_attributes(loader):
    assert isinstance(loader, DataLoader)
    assert isinstance(loader.dataset, Dataset)
    ordinary = DataLoader(loader.dataset, 3, shuffle=True)
    assert not [name for name in vars(ordinary) if not name.startswith("_") and not hasattr(loader, name)]


def test_targets_data_and_classes_are_those_of_the_examples(dataset):
    assert dataset.targets.tolist() == LABELS.tolist()
    assert dataset.data.shape == (7, 8, 8, 3)
    assert dataset.classes == ["ant", "bee", "cat"]
    assert dataset.class_to_idx == {"ant": 0, "bee": 1, "cat": 2}
    assert dataset.dataset.classes == Subset(dataset, [0]).dataset.classes == dataset.classes
    assert type(dataset[0][1]) is int


@pytest.mark.parametrize("assigned", [[0] * 7, np.zeros(7, np.int32), torch.zeros(7, dtype=torch.long)])
@pytest.mark.parametrize("behind", [False, True])
def test_targets_that_are_assigned_count_everywhere_and_in_this_copy_alone(dataset, loader, assigned, behind):
    before = copy.deepcopy(dataset)
    holder = dataset.dataset if behind else dataset
    holder.targets = assigned
    ordinary = DataLoader(ConcatDataset([Subset(dataset, [0, 1]), dataset]), 4)
    assert labels(loader) == [0] * 7
    assert labels(ordinary) == [0] * 9
    assert type(dataset.targets) is (torch.Tensor if isinstance(assigned, torch.Tensor) else np.ndarray)
    assert before.targets.tolist() == LABELS.tolist()


def test_what_is_written_into_targets_counts(dataset, loader):
    dataset.targets[:] = 1
    assert labels(loader) == [1] * 7


@pytest.mark.parametrize("assigned", [[0.5] * 7, [[0]] * 7, ["ant"] * 7])
def test_labels_that_are_no_integers_are_refused(dataset, assigned):
    with pytest.raises(AssignedError, match="labels of a data set must be integers"):
        dataset.targets = assigned
    assert dataset.targets.tolist() == LABELS.tolist()


def test_data_that_are_assigned_count_and_must_be_of_the_examples_shape(dataset, loader):
    dataset.data = np.full((7, 8, 8, 3), 127, np.uint8)
    assert all(images.abs().max() < 1e-6 for images, _ in loader)
    with pytest.raises(AssignedError, match=r"examples of a data set are \[8, 8, 3\]; assigned were \[4, 4, 3\]"):
        dataset.data = np.zeros((7, 4, 4, 3), np.uint8)


def test_a_transform_of_tensors_gets_the_normalised_image(dataset, loader):
    normalised = dataset[0][0]
    dataset.transform = lambda image: image * 2
    assert torch.equal(dataset[0][0], normalised * 2)
    dataset.transform = lambda image: image * 0
    assert all(images.abs().max() == 0 for images, _ in loader)
    assert all(images.abs().max() == 0 for images, _ in DataLoader(dataset, 4))


def test_a_transform_of_pil_images_gets_the_image_as_it_is_stored(dataset, loader):
    dataset.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])
    image = torch.as_tensor(dataset.data[0]).permute(2, 0, 1) / 255
    torch.testing.assert_close(dataset[0][0], image * 2 - 1)
    assert next(iter(loader))[0].shape == (3, 3, 8, 8)


def test_a_transform_of_labels_counts(dataset, loader):
    dataset.target_transform = lambda label: 2 - label
    assert labels(loader) == sorted((2 - LABELS).tolist())


def test_batch_size_and_collate_fn_can_be_assigned_to_a_loader_and_its_copy(loader):
    twin = copy.deepcopy(loader)
    twin.batch_size = 5
    assert [len(given) for _, given in twin] == [5, 2]
    assert len(twin) == 2
    assert [len(given) for _, given in loader] == [3, 3, 1]
    loader.collate_fn = len
    assert list(loader) == [3, 3, 1]
