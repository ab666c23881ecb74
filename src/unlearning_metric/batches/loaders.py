"""In-memory batches: re-iterable loaders over examples that live on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, default_collate

from unlearning_metric.batches.augmentation import Augmentation
from unlearning_metric.batches.datasets import ImageDataset


class ImageLoader(DataLoader):
    """Batches of an `ImageDataset`, re-iterable; a fresh permutation for each pass where ``shuffle`` is set.

    The permutations come from the loader's own generator on the CPU: the same on every device, and two loaders
    never disturb each other. So do an augmentation's draws from its own. It is a ``DataLoader`` with all of its
    attributes; ``batch_size`` and ``collate_fn`` may be assigned, and what else counts by PyTorch's own rule.

    Parameters
    ----------
    contiguous : whether images are handed out channels-first in memory, so that ``view`` may flatten them, rather than
        channels-last
    """

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
        contiguous: bool = False,
    ) -> None:
        if shuffle and generator is None:
            raise ValueError("a shuffled loader needs a generator of its own")
        # PyTorch refuses to shuffle what is empty.
        order = RandomSampler(dataset, generator=generator) if shuffle and len(dataset) else SequentialSampler(dataset)
        super().__init__(dataset, batch_size, sampler=order, generator=generator)
        self.shuffle = shuffle
        self.augmentation = augmentation
        self.contiguous = contiguous

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "batch_size" and "batch_sampler" in self.__dict__:
            self.__dict__["batch_sampler"] = BatchSampler(self.sampler, value, self.drop_last)
            self.__dict__["batch_size"] = value
        else:
            super().__setattr__(name, value)

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        count = len(self.dataset)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        if self.dataset.is_altered() or self.collate_fn is not default_collate:
            for indices in order.split(self.batch_size):
                yield self.collate_fn([self.dataset[index] for index in indices.tolist()])
            return
        order = order.to(self.dataset.images.device, non_blocking=True)
        for start in range(0, count, self.batch_size):
            batch = self.dataset.batch(order[start : start + self.batch_size], self.augmentation)
            yield _flat(batch) if self.contiguous else batch


def _flat(batch: Any) -> Any:
    """A batch whose images are contiguous."""
    if isinstance(batch, dict):
        return {key: value.contiguous() for key, value in batch.items()}
    return tuple(value.contiguous() for value in batch)
