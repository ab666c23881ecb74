"""What published code says to PyTorch that this version does not take any more, and that changes no number."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest import mock

from torch.optim import lr_scheduler


def _without_verbose(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def taking_it(self: Any, *given: Any, **named: Any) -> None:
        named.pop("verbose", None)
        init(self, *given, **named)

    return taking_it


@contextmanager
def older_torch() -> Iterator[None]:
    """Have schedulers of the learning rate take ``verbose``, which only printed, within the block."""
    with ExitStack() as patches:
        for kind in vars(lr_scheduler).values():
            own = isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler) and "__init__" in vars(kind)
            if own and "verbose" not in inspect.signature(kind.__init__).parameters:
                patches.enter_context(mock.patch.object(kind, "__init__", _without_verbose(kind.__init__)))
        yield
