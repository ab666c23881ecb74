"""The arithmetic of training: what a host can do, and switching it on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from unlearning_metric.config import Training
from unlearning_metric.errors import UserError


class PrecisionError(UserError, ValueError):
    """The configuration asks for arithmetic that this host has not."""


def refuse_unsupported(recipe: Training, device: str) -> None:
    """Check that this host can compute as the recipe says.

    Raises
    ------
    PrecisionError
        For ``bf16`` where the processor or the GPU has no such instructions.
    """
    if recipe.precision != "bf16":
        return
    if device == "cuda":
        supported, what = torch.cuda.is_bf16_supported(including_emulation=False), torch.cuda.get_device_name(0)
    else:
        supported, what = _cpu_has_bf16(), "this processor"
    if not supported:
        raise PrecisionError(
            f"training.precision is bf16, and {what} has no bf16 arithmetic. Set training.precision: fp32 (models and "
            "scores are then made anew), or run where there is."
        )


def _cpu_has_bf16() -> bool:
    # What torch asks before it uses oneDNN in bf16; without it every operation would be emulated, slower than fp32.
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _allows_tf32(setting: Any) -> bool:
    try:
        return setting.allow_tf32
    except RuntimeError:
        # A method set it through the newer of PyTorch's two interfaces, in whose states the older cannot be read.
        return False


@contextmanager
def arithmetic(recipe: Training, device: str) -> Iterator[None]:
    """Whether a GPU may round fp32 operands to TF32: as the recipe says within the block, never outside."""
    settings = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [_allows_tf32(setting) for setting in settings]
    try:
        for setting in settings:
            setting.allow_tf32 = recipe.tf32 and device == "cuda"
        yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.allow_tf32 = value


def autocast(recipe: Training, device: str) -> torch.autocast:
    """The forward pass in the recipe's precision."""
    return torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bf16")
