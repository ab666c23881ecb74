"""Labelled examples on one device, with what users of torchvision's data sets read from them and assign to them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from unlearning_metric.batches.augmentation import Augmentation
from unlearning_metric.batches.reads import Reads
from unlearning_metric.errors import UserError

#: What an item or a batch may hold.
FIELDS = ("image", "label", "index")
#: Name of a form of items and batches -> its fields: a tuple of them, or a dictionary by key.
FORMS: dict[str, Sequence[str] | Mapping[str, str]] = {
    "tuple": ("image", "label"),
    "triple": ("image", "label", "label"),
    "indexed": ("image", "label", "index"),
    "dict": {"image": "image", "label": "label"},
    # As in the Kaggle competition, whose age and person_id say what other data sets do not know.
    "kaggle": {"image": "image", "image_id": "index", "age_group": "label"},
}


class AssignedError(UserError, ValueError):
    """What was assigned to a data set does not fit it."""


class Label(int):
    """An integer that ``DataLoader`` puts onto the device of the examples."""

    device: torch.device


def _collate_labels(batch: Sequence[Label], **_: Any) -> torch.Tensor:
    return torch.tensor([int(label) for label in batch], device=batch[0].device)


torch.utils.data._utils.collate.default_collate_fn_map[Label] = _collate_labels


def form_of(batches: str | Sequence[str] | Mapping[str, str]) -> Sequence[str] | Mapping[str, str]:
    """The fields of a form given by its name or spelled out."""
    return FORMS[batches] if isinstance(batches, str) else batches


class ImageDataset(torch.utils.data.Dataset):
    """Labelled examples kept as they are stored on one device, normalised when they are read.

    Item ``i`` is ``(image, label)``: float32 [channels, height, width], contiguous, and an int, so an ordinary
    ``DataLoader`` or ``Subset`` takes it. An example that is no image keeps its shape. What is taken from ``images``
    and ``labels`` directly is not counted.

    ``targets``, ``data``, ``transform`` and ``target_transform`` may be read and assigned as those of torchvision's
    data sets; ``classes`` and ``class_to_idx`` may be read. A ``transform`` gets the normalised image, or the PIL image
    where it begins with what needs one.

    Parameters
    ----------
    images : uint8 or float32 [images, height, width, channels], or feature vectors of any other shape
    labels : int64 [images]
    mean, std : float32 [channels], in units of ``images``: 0..255 for uint8; of the last axis of feature vectors
    classes : name of each class, its number where it has none

    Attributes
    ----------
    reads : counter of the examples read
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        mean: np.ndarray,
        std: np.ndarray,
        device: str = "cpu",
        classes: Sequence[str] = (),
    ) -> None:
        self.images = torch.as_tensor(np.ascontiguousarray(images)).to(device)
        self._labels = torch.as_tensor(np.ascontiguousarray(labels)).to(device)
        scale = 1.0 / torch.as_tensor(std, dtype=torch.float32)
        shift = -torch.as_tensor(mean, dtype=torch.float32) * scale
        # For a whole row of an image: along three channels alone an operation has no vectors to work with.
        repeats = self.images.shape[2] if self.images.ndim == 4 else 1
        self._scale, self._shift = scale.repeat(repeats).to(device), shift.repeat(repeats).to(device)
        self._form = FORMS["tuple"]
        self.transform: Callable[[Any], Any] | None = None
        self.target_transform: Callable[[int], Any] | None = None
        self.classes = [str(name) for name in classes]
        self.reads = Reads()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Any:
        self.reads.add(1)
        index = int(index)
        label = int(self._labels[index])
        if self.target_transform is not None:
            label = self.target_transform(label)
        elif self._labels.is_cuda:
            label = Label(label)
            label.device = self._labels.device
        return self._arrange(self._image(index), label, index % len(self))

    def _image(self, index: int) -> Any:
        if self.transform is not None and takes_pil(self.transform):
            return self.transform(self._pil(index))
        image = self._normalise(self.images[index].unsqueeze(0))[0].contiguous()
        return image if self.transform is None else self.transform(image)

    def _pil(self, index: int) -> Any:
        from PIL import Image

        pixels = self.images[index].cpu().numpy()
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise AssignedError(
                f"a transform was assigned to a data set that begins with a PIL image, and the examples are "
                f"{pixels.dtype} {list(pixels.shape)}, which make none. Assign one that takes a tensor."
            )
        return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)

    def is_altered(self) -> bool:
        """Whether a transform was assigned, so that items have to be read one by one."""
        return self.transform is not None or self.target_transform is not None

    def batch(self, indices: torch.Tensor, augmentation: Augmentation | None = None) -> Any:
        """Images [batch, channels, height, width], channels-last in memory, and labels [batch]."""
        self.reads.add(len(indices))
        images = self.images.index_select(0, indices)
        if augmentation is not None:
            images = augmentation(images)
        return self._arrange(self._normalise(images), self._labels.index_select(0, indices), indices)

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        # A copy even of what is float32 already: the stored examples stay as they are.
        values = images.to(torch.float32, copy=True)
        rows = values.view(*values.shape[:2], -1) if values.ndim == 4 else values
        rows.mul_(self._scale).add_(self._shift)
        return values.permute(0, 3, 1, 2) if values.ndim == 4 else values

    def _arrange(self, image: Any, label: Any, index: Any) -> Any:
        known = {"image": image, "label": label, "index": index}
        if isinstance(self._form, Mapping):
            return {key: known[field] for key, field in self._form.items()}
        return tuple(known[field] for field in self._form)

    def duplicate(
        self, form: Sequence[str] | Mapping[str, str] | None = None, reads: Reads | None = None
    ) -> ImageDataset:
        """The same examples, to be altered on their own.

        Parameters
        ----------
        form : in what form items come, see `FORMS`; as here if None
        reads : what counts the examples read; a counter of its own if None
        """
        twin = copy.deepcopy(self)
        # Of its own too: what a method does to it must not reach the next copy.
        twin._form = copy.deepcopy(self._form if form is None else form)
        twin.reads = reads or Reads()
        return twin

    def joined(self, other: ImageDataset) -> ImageDataset:
        """These examples and another data set's, with a counter of their own."""
        twin = self.duplicate()
        twin.images = torch.cat([self.images, other.images])
        twin._labels = torch.cat([self._labels, other._labels])
        return twin

    @property
    def labels(self) -> torch.Tensor:
        """int64 [examples]; what is assigned may be anything that holds integers."""
        return self._labels

    @labels.setter
    def labels(self, values: Any) -> None:
        self._labels = self._integers(values)

    @property
    def targets(self) -> Any:
        """The labels as an array [examples]; as a tensor once one was assigned. On a GPU the array is read-only."""
        if self.__dict__.get("_targets_are_tensor"):
            return self._labels
        if not self._labels.is_cuda:
            return self._labels.numpy()
        values = self._labels.cpu().numpy()
        # What is written into a copy would be ignored.
        values.flags.writeable = False
        return values

    @targets.setter
    def targets(self, values: Any) -> None:
        self._labels = self._integers(values)
        self._targets_are_tensor = isinstance(values, torch.Tensor)

    def _integers(self, values: Any) -> torch.Tensor:
        try:
            found = values if isinstance(values, torch.Tensor) else torch.as_tensor(np.asarray(values))
            whole = found.to(torch.int64)
        except (TypeError, ValueError) as error:
            raise AssignedError(f"labels of a data set must be integers: {error}") from error
        if whole.ndim != 1 or not torch.equal(whole.to(found.dtype), found):
            raise AssignedError(
                f"labels of a data set must be integers [examples]; assigned was {found.dtype} {list(found.shape)}"
            )
        return whole.to(self._labels.device, copy=True)

    @property
    def data(self) -> np.ndarray:
        """The examples as they are stored, [examples, ...]; read-only on a GPU."""
        values = self.images.cpu().numpy()
        if self.images.is_cuda:
            values.flags.writeable = False
        return values

    @data.setter
    def data(self, values: Any) -> None:
        found = values if isinstance(values, torch.Tensor) else torch.as_tensor(np.asarray(values))
        if found.shape[1:] != self.images.shape[1:]:
            raise AssignedError(
                f"examples of a data set are {list(self.images.shape[1:])}; assigned were {list(found.shape[1:])}"
            )
        self.images = found.to(self.images.device, self.images.dtype, copy=True)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Name of a class -> its label."""
        return {name: label for label, name in enumerate(self.classes)}

    @property
    def indices(self) -> list[int]:
        """Which examples of ``dataset`` these are, as a ``Subset`` tells it: all."""
        return list(range(len(self)))

    @property
    def dataset(self) -> Whole:
        """The same examples without ``indices``, as a ``Subset`` has the data set behind it; assigning there counts."""
        return Whole(self)


class Whole(torch.utils.data.Dataset):
    """A data set seen as the one behind a ``Subset``."""

    def __init__(self, part: ImageDataset) -> None:
        self.__dict__["_part"] = part

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: int) -> Any:
        return self._part[index]

    def __getattr__(self, name: str) -> Any:
        # Code that looks for the innermost data set ends here.
        if name in ("dataset", "indices") or name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._part, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._part, name, value)


# `random.sample(dataset, count)` takes sequences alone, and published code keeps its data sets in lists.
Sequence.register(ImageDataset)
Sequence.register(Whole)


def takes_pil(transform: Any) -> bool:
    """Whether a transform is one of torchvision's that makes a tensor from a PIL image, or a chain that has one."""
    chain = getattr(transform, "transforms", [transform])
    return any(type(step).__name__ in ("ToTensor", "PILToTensor", "ToImage") for step in chain)
