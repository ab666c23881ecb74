"""Ways to walk through the examples of a loader that fit a method's paper."""

import torch
from torch.utils.data import DataLoader


def batch_sizes(count, batch_size):
    """Sizes of the batches of one pass over ``count`` examples.

    Batch norm cannot train on a single example, so a trailing one joins the batch before it.
    """
    full, rest = divmod(count, batch_size)
    if rest == 1 and full and batch_size > 1:
        return [batch_size] * (full - 1) + [batch_size + 1]
    return [batch_size] * full + ([rest] if rest else [])


class Batches:
    """A loader's batches cut anew to ``batch_size`` (default: the loader's own); re-iterable, with a length.

    Each pass is one pass of the loader, in its order. No batch is a single example, if ``batch_size`` is above 1: a
    set of one example is given as a batch that holds it twice, which changes no mean.

    Raises
    ------
    ValueError
        If the loader has no examples.
    """

    def __init__(self, loader, batch_size=None):
        self.loader = loader
        self.dataset = loader.dataset
        self.batch_size = batch_size or loader.batch_size
        if len(self.dataset) == 0:
            raise ValueError(
                "the method asks for examples of a set that is empty; if it is the validation set, raise "
                "data.validation_size"
            )
        self._sizes = batch_sizes(len(self.dataset), self.batch_size)

    def __len__(self):
        return len(self._sizes)

    def __iter__(self):
        stream = _Stream(self.loader)
        for size in self._sizes:
            images, labels = stream.take(size)
            if size == 1 and self.batch_size > 1:
                images, labels = torch.cat([images, images]), torch.cat([labels, labels])
            yield images, labels


class _Stream:
    """Examples of one pass of a loader, taken in any number at a time."""

    def __init__(self, loader):
        self._source = iter(loader)
        self._left = None

    def take(self, count):
        """Images and labels of the next ``count`` examples, at least one."""
        taken = []
        while count:
            images, labels = self._left or next(self._source)
            taken.append((images[:count], labels[:count]))
            self._left = (images[count:], labels[count:]) if count < len(labels) else None
            count -= len(taken[-1][1])
        return taken[0] if len(taken) == 1 else tuple(torch.cat(parts) for parts in zip(*taken, strict=True))


def endless(batches):
    """The batches of one pass after another."""
    while True:
        yield from batches


def in_order(dataset, batch_size):
    """Batches of a dataset in its own order, the same in every copy."""
    return Batches(DataLoader(dataset, batch_size))


def drawn(dataset, batch_size):
    """Batches of a dataset, shuffled anew in each pass by torch's own random numbers."""
    return Batches(DataLoader(dataset, batch_size, shuffle=True))


def union(retain_loader, forget_loader, batch_size, retain_count=None):
    """One pass over the shuffled union of two sets: yields images, labels and whether each is of the forget set.

    Every order of the union is equally likely, as if it were one shuffled set.

    Parameters
    ----------
    retain_loader, forget_loader : shuffled loaders
    retain_count : random examples of the retain set to use; default: all
    """
    if retain_count is None:
        retain_count = len(retain_loader.dataset)
    forget_count = len(forget_loader.dataset)
    is_forget = torch.randperm(retain_count + forget_count) < forget_count
    retain, forget = _Stream(retain_loader), _Stream(forget_loader)
    for part in is_forget.split(batch_sizes(len(is_forget), batch_size)):
        sizes = [(retain, int((~part).sum())), (forget, int(part.sum()))]
        images, labels = zip(*(stream.take(size) for stream, size in sizes if size), strict=True)
        yield torch.cat(images), torch.cat(labels), part.sort().values.to(images[0].device)
