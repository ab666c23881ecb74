"""In-memory batches: re-iterable loaders over examples that live on the device, which count what is read."""

from __future__ import annotations

import copy
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from unlearning_metric.batches.augmentation import Augmentation


class Reads:
    """Counts the examples read from a data set, by workers of a ``DataLoader`` too.

    A copy counts with the one it is a copy of.
    """

    #: Beyond them, two workers share a place and may lose counts to each other.
    WORKERS = 63

    def __init__(self) -> None:
        # In shared memory: a worker is a process of its own, and adds in a place of its own.
        self._places = _shared_zeros(1 + self.WORKERS)
        self._array = self._places.numpy()

    def add(self, examples: int) -> None:
        """So many examples were read."""
        worker = torch.utils.data.get_worker_info()
        self._array[0 if worker is None else 1 + worker.id % self.WORKERS] += examples

    def total(self) -> int:
        """Examples read so far."""
        return int(self._array.sum())

    def __deepcopy__(self, memo: dict[int, Any]) -> Reads:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"_places": self._places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._places = state["_places"]
        self._array = self._places.numpy()


def _shared_zeros(count: int) -> torch.Tensor:
    """int64 [count] that processes share."""
    try:
        return torch.zeros(count, dtype=torch.int64).share_memory_()
    except (RuntimeError, OSError):
        # Without a usable /dev/shm: memory that forked workers share, as those of Linux are unless told otherwise.
        return torch.frombuffer(mmap.mmap(-1, 8 * count), dtype=torch.int64)


class ImageDataset(torch.utils.data.Dataset):
    """Labelled examples kept as they are stored on one device, normalised when they are read.

    Item ``i`` is ``(image, label)``: float32 [channels, height, width] and an int64 scalar, so an ordinary
    ``DataLoader`` or ``Subset`` takes it. An example that is no image keeps its shape. What is taken from ``images``
    and ``labels`` directly is not counted.

    Parameters
    ----------
    images : uint8 or float32 [images, height, width, channels], or feature vectors of any other shape
    labels : int64 [images]
    mean, std : float32 [channels], in units of ``images``: 0..255 for uint8; of the last axis of feature vectors

    Attributes
    ----------
    reads : counter of the examples read
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, mean: np.ndarray, std: np.ndarray, device: str = "cpu"
    ) -> None:
        self.images = torch.as_tensor(np.ascontiguousarray(images)).to(device)
        self.labels = torch.as_tensor(np.ascontiguousarray(labels)).to(device)
        scale = 1.0 / torch.as_tensor(std, dtype=torch.float32)
        shift = -torch.as_tensor(mean, dtype=torch.float32) * scale
        # For a whole row of an image: along three channels alone an operation has no vectors to work with.
        repeats = self.images.shape[2] if self.images.ndim == 4 else 1
        self._scale, self._shift = scale.repeat(repeats).to(device), shift.repeat(repeats).to(device)
        self.reads = Reads()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        self.reads.add(1)
        return self._item(index, self._normalise(self.images[index].unsqueeze(0))[0], self.labels[index])

    def batch(self, indices: torch.Tensor, augmentation: Augmentation | None = None) -> Any:
        """Images [batch, channels, height, width], channels-last in memory, and labels [batch]."""
        self.reads.add(len(indices))
        images = self.images.index_select(0, indices)
        if augmentation is not None:
            images = augmentation(images)
        return self._item(indices, self._normalise(images), self.labels.index_select(0, indices))

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        # A copy even of what is float32 already: the stored examples stay as they are.
        values = images.to(torch.float32, copy=True)
        rows = values.view(*values.shape[:2], -1) if values.ndim == 4 else values
        rows.mul_(self._scale).add_(self._shift)
        return values.permute(0, 3, 1, 2) if values.ndim == 4 else values

    def _item(self, index: Any, images: torch.Tensor, labels: torch.Tensor) -> Any:
        return images, labels

    def duplicate(self, form: type[ImageDataset] | None = None, reads: Reads | None = None) -> ImageDataset:
        """The same examples, to be altered on their own.

        Parameters
        ----------
        form : in what form items come
        reads : what counts the examples read; a counter of its own if None
        """
        twin = copy.deepcopy(self)
        twin.__class__ = form or type(self)
        twin.reads = reads or Reads()
        return twin


class KaggleDataset(ImageDataset):
    """Items and batches as dictionaries, as in the Kaggle competition.

    ``image``; ``age_group``, the label; ``image_id``, the number of the example in this data set. The competition's
    ``age`` and ``person_id`` say what other data sets do not know.
    """

    def _item(self, index: Any, images: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        return {"image": images, "image_id": index, "age_group": labels}


#: ``batches`` of the configuration -> form of items and batches
FORMS: dict[str, type[ImageDataset]] = {"tuple": ImageDataset, "kaggle": KaggleDataset}


class ImageLoader:
    """Batches of an `ImageDataset`, re-iterable; a fresh permutation for each pass where ``shuffle`` is set.

    The permutations come from the loader's own generator on the CPU: the same on every device, and two loaders
    never disturb each other. So do an augmentation's draws from its own.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        if shuffle and generator is None:
            raise ValueError("a shuffled loader needs a generator of its own")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self.augmentation = augmentation

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        count = len(self.dataset)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        order = order.to(self.dataset.images.device, non_blocking=True)
        for start in range(0, count, self.batch_size):
            yield self.dataset.batch(order[start : start + self.batch_size], self.augmentation)
