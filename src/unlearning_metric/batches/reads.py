"""Counts of the examples that are read, across processes."""

from __future__ import annotations

import mmap
from typing import Any

import torch


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
