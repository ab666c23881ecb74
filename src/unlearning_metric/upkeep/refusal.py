"""What stops a run before it makes anything."""

from __future__ import annotations

from unlearning_metric.errors import UserError


class RefusalError(UserError, RuntimeError):
    """A run would lose something or mix what does not belong together."""
