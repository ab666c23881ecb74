"""Crops and flips: those of torchvision, by each example's own draws."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as transforms

from unlearning_metric.batches.augmentation import Augmentation, AugmentationError, make_augmentation
from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.loaders import ImageLoader

DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.randint(1, 256, (40, 6, 9, 3), generator=DRAW, dtype=torch.uint8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def versions(image, crop):
    """Every crop of one image and its mirror image, as torchvision makes them: bytes -> (down, right, mirrored)."""
    height, width, _ = image.shape
    found = {}
    for mirrored in (False, True):
        source = transforms.hflip(image.permute(2, 0, 1)) if mirrored else image.permute(2, 0, 1)
        for down in range(2 * crop + 1):
            for right in range(2 * crop + 1):
                made = transforms.crop(transforms.pad(source, crop), down, right, height, width)
                found[made.permute(1, 2, 0).contiguous().numpy().tobytes()] = down, right, mirrored
    return found


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_each_image_is_a_crop_and_flip_that_torchvision_makes(kind):
    made = Augmentation(2, True, generator())(IMAGES.to(kind))
    assert made.dtype == kind
    drawn = [
        versions(image, 2)[new.contiguous().numpy().tobytes()] for image, new in zip(IMAGES.to(kind), made, strict=True)
    ]
    assert len(set(drawn)) > 15


def test_every_offset_is_as_likely_and_half_of_the_images_are_mirrored():
    image = torch.arange(1, 10, dtype=torch.uint8).view(1, 3, 3, 1)
    known = versions(image[0], 1)
    made = Augmentation(1, True, generator())(image.expand(9000, 3, 3, 1).contiguous())
    drawn = [known[new.contiguous().numpy().tobytes()] for new in made]
    counts = np.unique(np.array(drawn, dtype=int), axis=0, return_counts=True)[1]
    assert len(counts) == 18
    # 500 each, with a standard deviation of 22.
    assert counts.min() > 400
    assert counts.max() < 600


@pytest.mark.parametrize(("crop", "flip"), [(3, False), (0, True)])
def test_what_is_switched_off_does_not_happen(crop, flip):
    made = Augmentation(crop, flip, generator())(IMAGES)
    drawn = {versions(image, crop)[new.contiguous().numpy().tobytes()] for image, new in zip(IMAGES, made, strict=True)}
    assert {mirrored for _, _, mirrored in drawn} == ({True, False} if flip else {False})
    assert (len({place[:2] for place in drawn}) > 1) == (crop > 0)


def test_images_differ_from_pass_to_pass_and_not_from_run_to_run():
    dataset = ImageDataset(IMAGES.numpy(), np.arange(40) % 3, np.zeros(3), np.ones(3))

    def passes():
        loader = ImageLoader(dataset, 16, augmentation=Augmentation(2, True, generator(5)))
        return [torch.cat([images for images, _ in loader]) for _ in range(2)]

    first, second = passes()
    assert not torch.equal(first, second)
    assert all(torch.equal(one, two) for one, two in zip((first, second), passes(), strict=True))
    # Stored examples stay as they are.
    assert torch.equal(dataset.images, IMAGES)


def test_batches_lie_in_channels_last_memory():
    dataset = ImageDataset(IMAGES.numpy(), np.arange(40) % 3, np.zeros(3), np.ones(3))
    images, _ = next(iter(ImageLoader(dataset, 16, augmentation=Augmentation(2, True, generator()))))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_vectors_are_no_images():
    with pytest.raises(
        AugmentationError, match=r"crop and training\.flip are for images; the examples are \[5\]\. Remove"
    ):
        Augmentation(1, False, generator())(torch.zeros(3, 5))


def test_a_recipe_without_crop_and_flip_has_no_augmentation():
    assert make_augmentation(0, False, generator()) is None
    assert make_augmentation(4, False, generator()).crop == 4
