"""PyTorch's compiler is loaded by what compiles, not by every optimizer.

``torch.optim`` keeps the compiler out of an optimizer's bookkeeping and marks where a graph must break, and loads all
of the compiler (``torch._dynamo``) to do so: at the first optimizer of a process, for about as long as the rest of a
small job takes. A compiler that is not loaded compiles nothing, so that there is nothing to keep out and no graph.

Nothing plainer does: presetting what PyTorch keeps of it (``__dynamo_disable``) would no longer keep a compiler out
that is loaded later, and the mark of a break imports it unasked.

What does need it (``torch.compile``, ``torch.func``) loads it then, and `LOADING` says what that took, so that it can
be left out of a model's time.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import torch

#: What PyTorch (2.14) puts around methods of optimizers: its name -> the names that its code uses.
_KEEPS_OUT = "_disable_dynamo.<locals>.inner"
_BREAKS = "_use_grad_for_differentiable.<locals>._use_grad"
_KNOWN = {
    _KEEPS_OUT: {"getattr", "torch._dynamo", "_dynamo", "disable", "__dynamo_disable"},
    _BREAKS: {"torch._dynamo", "cast", "Optimizer", "is_grad_enabled", "set_grad_enabled", "defaults",
              "_dynamo", "graph_break"},
}  # fmt: skip
_COMPILER = "torch._dynamo"


def processor_seconds() -> float:
    """Seconds that processors have worked for this process, its threads and its children that have ended."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


#: Clocks by name: ``wall`` goes on, ``processor`` stands still while nothing is computed here.
READ: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": processor_seconds}
#: Seconds of each clock that went into loading the compiler. It is loaded once a process: the first model of a job
#: would seem slower than the others. What is compiled then counts.
LOADING = dict.fromkeys(READ, 0.0)


class _TimedFinder:
    """Finds the compiler as ever, and adds up what loading it takes in the main thread, where models are made."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == _COMPILER else None
        if spec is not None:
            spec.loader.exec_module = functools.partial(cls._load, spec.loader.exec_module)
        return spec

    @classmethod
    def _load(cls, load: Callable[[ModuleType], None], module: ModuleType) -> None:
        start = {name: read() for name, read in READ.items()}
        try:
            load(module)
        finally:
            if threading.current_thread() is threading.main_thread():
                for name, read in READ.items():
                    LOADING[name] += read() - start[name]


sys.meta_path.insert(0, _TimedFinder)


def defer_compiler() -> None:
    """Let PyTorch's optimizers run without the compiler until something loads it; then their own methods are called.

    Called before the first optimizer is made. A version of PyTorch whose optimizers are made in another way is left as
    it is.
    """
    for kind in _kinds(torch.optim.Optimizer):
        for name, method in list(vars(kind).items()):
            around = _around(method)
            if around is not None:
                setattr(kind, name, _deferred(method, around))


def _kinds(kind: type) -> Iterator[type]:
    yield kind
    for one in kind.__subclasses__():
        yield from _kinds(one)


def _around(method: Any) -> str | None:
    """Name of the known code around a method, if any."""
    code = getattr(method, "__code__", None)
    known = code is not None and hasattr(method, "__wrapped__") and _KNOWN.get(code.co_qualname) == set(code.co_names)
    return code.co_qualname if known else None


def _deferred(method: Callable[..., Any], around: str) -> Callable[..., Any]:
    plain = method.__wrapped__

    @functools.wraps(plain)
    def call(self: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
        if _COMPILER in sys.modules:
            return method(self, *args, **kwargs)
        if around == _KEEPS_OUT:
            return plain(self, *args, **kwargs)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return plain(self, *args, **kwargs)

    # The compiler counts its recompilations by code object: each method has one of its own, as in PyTorch.
    call.__code__ = call.__code__.replace()
    return call
