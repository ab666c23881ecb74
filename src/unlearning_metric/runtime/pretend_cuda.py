"""CUDA asked for by name means the CPU: for code that says ``.cuda()`` on a computer without."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode


def _on_cpu(value: Any) -> Any:
    """A device, or the name of one, that is CUDA's, as the CPU; anything else as it is."""
    if isinstance(value, torch.device):
        return torch.device("cpu") if value.type == "cuda" else value
    if isinstance(value, str) and (value == "cuda" or value.startswith("cuda:")):
        return "cpu"
    return value


class _Pretend(TorchFunctionMode):
    """Answers what asks for CUDA with tensors on the CPU."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in ("cuda", "pin_memory") and args and isinstance(args[0], torch.Tensor):
            return args[0]
        if "device" in named:
            named["device"] = _on_cpu(named["device"])
        if named.get("pin_memory"):
            named["pin_memory"] = False
        if name == "to":
            args = tuple(_on_cpu(value) for value in args)
        return func(*args, **named)


#: Bytes that a GPU is said to have, free and in all: this computer's.
_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
#: Functions of ``torch.cuda`` that would fail without a device -> what they give.
_ANSWERS = {
    "synchronize": None, "set_device": None, "empty_cache": None, "manual_seed": None, "manual_seed_all": None,
    "current_device": 0, "reset_peak_memory_stats": None, "max_memory_allocated": 0, "memory_allocated": 0,
    "get_device_name": "cpu", "get_device_capability": (0, 0), "ipc_collect": None, "memory_reserved": 0,
    "max_memory_reserved": 0, "reset_max_memory_allocated": None, "mem_get_info": (_MEMORY, _MEMORY),
}  # fmt: skip


class _Event:
    """A moment on the CPU, for code that times itself by ``torch.cuda.Event``."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._seconds = 0.0

    def record(self, *_: Any) -> None:
        """Take the time."""
        self._seconds = time.perf_counter()

    def synchronize(self) -> None:
        """Nothing is under way on a CPU."""

    def query(self) -> bool:
        """All that was under way is done."""
        return True

    def elapsed_time(self, end: _Event) -> float:
        """Milliseconds from this moment to another."""
        return 1000.0 * (end._seconds - self._seconds)


@contextmanager
def pretend_cuda() -> Iterator[None]:
    """Have ``.cuda()``, ``"cuda"`` and ``torch.load`` onto CUDA mean the CPU within the block.

    ``torch.cuda.is_available`` goes on saying no: code that asks has its own way.
    """
    load = torch.load

    def load_here(*args: Any, **named: Any) -> Any:
        return load(*args, **{"map_location": "cpu", **{key: _on_cpu(value) for key, value in named.items()}})

    answers = {name: (lambda *_, answer=answer, **__: answer) for name, answer in _ANSWERS.items()}
    types = {name: getattr(torch, name) for name in ("FloatTensor", "LongTensor", "HalfTensor", "ByteTensor")}
    with (
        mock.patch.multiple(torch.cuda, Event=_Event, **answers, **types),
        mock.patch.object(torch, "load", load_here),
        _Pretend(),
    ):
        yield


#: What PyTorch says where CUDA was asked for and there is none.
_REFUSALS = (
    "Torch not compiled with CUDA enabled",
    "Found no NVIDIA driver",
    "No CUDA GPUs are available",
    "on a CUDA device but torch.cuda.is_available() is False",
    "Cannot access accelerator device",
)


def asks_for_cuda(error: BaseException) -> bool:
    """Whether an exception says that CUDA was asked for on a computer without."""
    return not torch.cuda.is_available() and any(text in str(error) for text in _REFUSALS)
