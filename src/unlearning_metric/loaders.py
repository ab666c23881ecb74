"""In-memory batches: re-iterable loaders over uint8 images that live on the device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch


class ImageDataset(torch.utils.data.Dataset):
    """Labelled images kept as uint8 on one device, normalised when they are read.

    Item ``i`` is ``(image, label)``: float32 [channels, height, width] and an int64 scalar, so an ordinary
    ``DataLoader`` or ``Subset`` takes it.

    Parameters
    ----------
    images : uint8 [images, height, width, channels]
    labels : int64 [images]
    mean, std : float32 [channels], in units of the 0..255 pixel scale
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, mean: np.ndarray, std: np.ndarray, device: str = "cpu"
    ) -> None:
        self.images = torch.as_tensor(np.ascontiguousarray(images)).to(device)
        self.labels = torch.as_tensor(np.ascontiguousarray(labels)).to(device)
        scale = 1.0 / torch.as_tensor(std, dtype=torch.float32)
        self._scale = scale.to(device)
        self._shift = (-torch.as_tensor(mean, dtype=torch.float32) * scale).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._normalise(self.images[index]).permute(2, 0, 1), self.labels[index]

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        return images.to(torch.float32).mul_(self._scale).add_(self._shift)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images [batch, channels, height, width], channels-last in memory, and labels [batch]."""
        images = self._normalise(self.images.index_select(0, indices))
        return images.permute(0, 3, 1, 2), self.labels.index_select(0, indices)


class ImageLoader:
    """Batches of an `ImageDataset`, re-iterable; a fresh permutation for each pass where ``shuffle`` is set.

    The permutations come from the loader's own generator on the CPU: the same on every device, and two loaders
    never disturb each other.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        if shuffle and generator is None:
            raise ValueError("a shuffled loader needs a generator of its own")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        count = len(self.dataset)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        order = order.to(self.dataset.images.device)
        for start in range(0, count, self.batch_size):
            yield self.dataset.batch(order[start : start + self.batch_size])
