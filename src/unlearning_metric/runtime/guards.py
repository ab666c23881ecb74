"""Keeps what a method does to the process from reaching the next copy or the harness."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.modules import module as modules

from unlearning_metric.runtime.working_folder import own_working_folder


def _global_hooks() -> dict[str, dict[int, Any]]:
    """torch's tables of hooks that run for every module."""
    return {name: table for name, table in vars(modules).items() if name.startswith("_global_") and _is_table(table)}


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _restore_hooks(saved: dict[str, dict[int, Any]]) -> None:
    for name, table in _global_hooks().items():
        table.clear()
        table.update(saved[name])


def _restore_environment(saved: dict[str, str]) -> None:
    if dict(os.environ) != saved:
        os.environ.clear()
        os.environ.update(saved)


def _restore_cuda(states: list[torch.Tensor]) -> None:
    if states:
        torch.cuda.set_rng_state_all(states)


def _denormals_are_zero() -> bool:
    # The setting has no name to read it by.
    return float(torch.tensor(1e-40) * 1) == 0.0


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}


def _restore_handlers(saved: dict[int, Any]) -> None:
    for number, handler in saved.items():
        # Python refuses to set any outside the main thread, and None is what another language installed.
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _autocast() -> dict[str, tuple[bool, torch.dtype]]:
    return {kind: (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")}


def _restore_autocast(saved: dict[str, tuple[bool, torch.dtype]]) -> None:
    for kind, (enabled, dtype) in saved.items():
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)


def _restore_path(saved: tuple[list[str], list[str]]) -> None:
    sys.path, sys.path[:] = saved


def _restore_filters(saved: list[Any]) -> None:
    warnings.filters[:] = saved


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


#: How to read and set back each part of the process that a method may change.
_STATE: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
    (torch.get_rng_state, torch.set_rng_state),
    (lambda: torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [], _restore_cuda),
    (np.geterr, lambda saved: np.seterr(**saved)),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_default_device, lambda saved: torch.set_default_device(saved if saved.type != "cpu" else None)),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    _attribute(torch.backends.cudnn, "enabled"),
    _attribute(torch.backends.cudnn, "benchmark"),
    _attribute(torch.backends.cudnn, "deterministic"),
    _attribute(torch.backends.cudnn, "allow_tf32"),
    _attribute(torch.backends.cuda.matmul, "allow_tf32"),
    (lambda: {name: dict(table) for name, table in _global_hooks().items()}, _restore_hooks),
    (_denormals_are_zero, torch.set_flush_denormal),
    (_autocast, _restore_autocast),
    _attribute(torch.backends.mkldnn, "enabled"),
    (os.getcwd, os.chdir),
    (lambda: dict(os.environ), _restore_environment),
    (_handlers, _restore_handlers),
    (gc.isenabled, lambda saved: gc.enable() if saved else gc.disable()),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (
        lambda: multiprocessing.get_start_method(allow_none=True),
        lambda saved: multiprocessing.set_start_method(saved, force=True),
    ),
    *(_attribute(sys, name) for name in ("stdout", "stderr", "argv")),
    (lambda: (sys.path, list(sys.path)), _restore_path),
    (lambda: list(warnings.filters), _restore_filters),
)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Have torch, numpy and random draw from a seed within the block, and go on as before after it.

    Dropout draws from torch's own generator: left alone, a model's draws would be those of a model of another job, and
    depend on which models its own job trained before.
    """
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []):
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def process_state() -> Iterator[None]:
    """Set back, at the end, whatever the block does to the process.

    Random states of torch, numpy and random; default dtype and device, gradients, anomaly detection, threads,
    deterministic algorithms, denormals, autocast, cuDNN, oneDNN, hooks for every module; numpy's errors; working folder
    and environment; handlers of signals, garbage collector, recursion limit, the way to start processes, standard
    output, search path, filters of warnings.
    """
    saved = [read() for read, _ in _STATE]
    try:
        yield
    finally:
        for (_, restore), value in zip(_STATE, saved, strict=True):
            restore(value)


@contextmanager
def _forking() -> Iterator[None]:
    """On Linux, have processes forked where nothing else is asked for, as Python did before 3.14.

    Another process is sent what it needs by name, and does not find the modules of a user's files: not even the
    data set of a loader with workers. What is set here is the default; a function may still choose another kind.
    """
    default = multiprocessing.context._default_context  # type: ignore[attr-defined]
    saved = default._default_context
    if sys.platform == "linux":
        default._default_context = multiprocessing.get_context("fork")
    try:
        yield
    finally:
        default._default_context = saved


@contextmanager
def as_if_alone(title: str) -> Iterator[None]:
    """What the block does to the process ends with it, and so does what it writes into its working folder.

    Parameters
    ----------
    title : whose function runs there, such as ``method mine``
    """
    with process_state(), _forking(), own_working_folder(title):
        yield


def seed_everything(seed: int) -> None:
    """Have random, numpy and torch draw from a seed; call it last, since importing a user's file may draw as well."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
