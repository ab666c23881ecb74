"""Gradients as users of `torch.autograd.grad` know them: contiguous, so that ``view`` may flatten them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch


@contextmanager
def contiguous_gradients() -> Iterator[None]:
    """Have `torch.autograd.grad` give contiguous gradients within the block.

    That of a convolution's weights lies in memory as its images do, channels-last, although the weights do not. What
    is accumulated into ``.grad`` lies as its parameter does, and needs nothing.
    """
    gradients = torch.autograd.grad

    def grad(*given: Any, **named: Any) -> tuple[torch.Tensor | None, ...]:
        return tuple(
            found.contiguous() if isinstance(found, torch.Tensor) and found.layout == torch.strided else found
            for found in gradients(*given, **named)
        )

    with mock.patch.object(torch.autograd, "grad", grad):
        yield
