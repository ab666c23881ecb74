"""What can be wrong with a bank."""

from __future__ import annotations

from unlearning_metric.errors import UserError


class BankError(UserError, RuntimeError):
    """A bank is damaged, does not fit, or cannot be had: says what, where and what to do."""
