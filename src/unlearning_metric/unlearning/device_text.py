"""A device that is a ``torch.device`` to PyTorch and a text to whoever compares it with one."""

from __future__ import annotations

from typing import Any

import torch


class DeviceText(str):
    """Name of a device with the attributes of a ``torch.device``, which itself equals no text."""

    __slots__ = ()

    @property
    def type(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.partition(":")[0]

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """Number of the device, None for the current one."""
        number = self.partition(":")[2]
        return int(number) if number else None

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | torch.device) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return DeviceText, (str(self),)
