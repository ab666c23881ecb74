"""How many original models there are, and which copy of a method starts from which."""

from typing import Any

from pydantic import Field, model_serializer

from unlearning_metric.config.text import shown
from unlearning_metric.config.values import Section, told

PER_COPY = "per_copy"


class Originals(Section):
    """Every method makes all its copies from each of the originals. Written as 1 or as ``{count: K}``."""

    count: int = Field(
        1, ge=1, description="Original models, from each of which every method makes as many copies as `copies` says."
    )

    @property
    def per_copy(self) -> bool:
        """Whether each copy starts from an original of its own."""
        return False

    def number(self, copies: int) -> int:
        """How many originals are trained, of which the first is number 0."""
        return self.count

    @property
    def written(self) -> int | str | dict[str, int]:
        """As it stands in a configuration, in the shortest form."""
        return 1 if self.count == 1 else {"count": self.count}

    @model_serializer(mode="plain")
    def _as_written(self) -> Any:
        return self.written


class OriginalPerCopy(Originals):
    """Copy i of every method starts from original i. Written as ``per_copy``."""

    @property
    def per_copy(self) -> bool:
        """Whether each copy starts from an original of its own."""
        return True

    def number(self, copies: int) -> int:
        """How many originals are trained: one a copy."""
        return copies

    @property
    def written(self) -> int | str | dict[str, int]:
        """As it stands in a configuration."""
        return PER_COPY


def number_of_originals(written: Any, copies: int) -> int:
    """How many originals an experiment has, from what stands in its configuration in any form."""
    return Originals.model_validate(originals_from_short_form(written)).number(copies)


def originals_from_short_form(value: Any) -> Any:
    """1 and ``per_copy`` in their types; other values but a mapping are refused, with what to write."""
    if isinstance(value, Originals | dict):
        return value
    if value == PER_COPY:
        return OriginalPerCopy()
    if value == 1 and type(value) is int:
        return Originals()
    if type(value) is int and value > 1:
        raise told(
            f": {value} by itself could mean two things. Write originals: {{count: {value}}} for all copies from each "
            f"of {value} originals: a score from each, their mean, and an interval that holds the choice of the "
            f"original. Write originals: {PER_COPY} for one copy from each of as many originals as there are copies, "
            "which gives a deterministic method a spread. On the command line: "
            f"--config 'originals={{count: {value}}}'"
        )
    raise told(
        f": {shown(value)} is not allowed. Expected 1, {{count: K}} with an integer of at least 1, or {PER_COPY}."
    )
