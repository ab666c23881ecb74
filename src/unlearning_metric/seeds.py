"""Independent random streams, keyed by experiment seed, role, index and purpose.

Every random draw of the workflow comes from a stream of its own. Two streams whose keys differ in any part are
independent (``numpy.random.SeedSequence`` with a spawn key), so no two roles can share one: the seed project
drew its retrained and its unlearned models from the same seeds 0..99, which ties the two sides together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


def _words(text: str) -> tuple[int, ...]:
    """128 bits of a name as four 32-bit words, so that two different names never collide in practice."""
    digest = hashlib.sha256(text.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))


@dataclass(frozen=True)
class Streams:
    """The random streams of one thing: a data split, or model ``index`` of a ``role``.

    Parameters
    ----------
    experiment_seed : non-negative int
    role : what is drawn for, such as ``"retain"``, ``"full"`` or ``"unlearn/finetune"``
    index : model index within the role
    """

    experiment_seed: int
    role: str
    index: int = 0

    @classmethod
    def of_models(cls, experiment_seed: int, role: str, indices: Iterable[int]) -> list[Streams]:
        """Those of each of several models of a role."""
        return [cls(experiment_seed, role, index) for index in indices]

    def sequence(self, purpose: str) -> np.random.SeedSequence:
        """The seed sequence of one purpose (``"init"``, ``"order"``, ``"augment"``, ...)."""
        key = (*_words(self.role), self.index, *_words(purpose))
        return np.random.SeedSequence(entropy=self.experiment_seed, spawn_key=key)

    def integer(self, purpose: str) -> int:
        """A seed in [0, 2**63) for libraries that take one integer."""
        return int(self.sequence(purpose).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def numpy(self, purpose: str) -> np.random.Generator:
        """A NumPy generator at the start of the stream."""
        return np.random.default_rng(self.sequence(purpose))

    def torch(self, purpose: str, device: str = "cpu") -> Any:
        """A ``torch.Generator`` on ``device`` at the start of the stream."""
        import torch

        return torch.Generator(device=device).manual_seed(self.integer(purpose))
