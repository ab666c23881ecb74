"""Reference banks: the part of a results folder that a method's score needs, as one file."""

from unlearning_metric.bank.problems import BankError
from unlearning_metric.bank.record import Opened, opened_bank

__all__ = ["BankError", "Opened", "opened_bank"]
