"""Random crops and flips of a batch, as one gather over the stored pixels."""

from __future__ import annotations

import torch
from torch.nn import functional

from unlearning_metric.errors import UserError


class AugmentationError(UserError, ValueError):
    """Examples that cannot be cropped or mirrored."""


class Augmentation:
    """Crops after padding with black, and mirrors left and right, each example by draws of its own.

    The draws come from one generator on the CPU, so they are the same on every device, and do not depend on anything
    else that is drawn.

    Parameters
    ----------
    crop : pixels of padding on each side before an image is cropped to its own size; 0: no crops
    flip : whether half of the images, at random, are mirrored
    generator : on the CPU
    """

    def __init__(self, crop: int, flip: bool, generator: torch.Generator) -> None:
        self.crop, self.flip, self.generator = crop, flip, generator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Another version of images [batch, height, width, channels], in their own type.

        Raises
        ------
        AugmentationError
            If the examples are no images.
        """
        return self.apply(images, self.draw(len(images)))

    def draw(self, count: int) -> torch.Tensor:
        """Draws of a batch: int64 [3, count], pixels down, pixels to the right, whether mirrored."""
        # Three numbers an image whatever is switched on, in one draw.
        return torch.stack(
            [
                torch.randint(2 * self.crop + 1, (count,), generator=self.generator),
                torch.randint(2 * self.crop + 1, (count,), generator=self.generator),
                torch.randint(2, (count,), generator=self.generator),
            ]
        )

    def apply(self, images: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """The version of images [batch, height, width, channels] that draws [3, batch] make; random no more.

        Raises
        ------
        AugmentationError
            If the examples are no images.
        """
        if images.ndim != 4:
            raise AugmentationError(
                f"training.crop and training.flip are for images; the examples are {list(images.shape[1:])}. Remove "
                "them."
            )
        count, height, width, channels = images.shape
        pad = self.crop
        padded = functional.pad(images, (0, 0, pad, pad, pad, pad)) if pad else images
        # The pixels' numbers are most of what is written here: 32 bits wherever they do.
        number = {"dtype": torch.int32 if padded.numel() < 2**31 else torch.int64, "device": images.device}
        down, right, mirrored = drawn.to(**number, non_blocking=True)
        rows = torch.arange(height, **number) + down[:, None]
        columns = torch.arange(width, **number).expand(count, width)
        if self.flip:
            columns = torch.where(mirrored[:, None] == 1, width - 1 - columns, columns)
        columns = columns + right[:, None]
        first = torch.arange(count, **number)[:, None] * (height + 2 * pad)
        pixels = ((first + rows) * (width + 2 * pad))[:, :, None] + columns[:, None, :]
        return padded.view(-1, channels).index_select(0, pixels.view(-1)).view(images.shape)


def make_augmentation(crop: int, flip: bool, generator: torch.Generator) -> Augmentation | None:
    """The augmentation of a recipe; None where it has none."""
    return Augmentation(crop, flip, generator) if crop or flip else None
