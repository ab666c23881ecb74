"""What a metric is: how it measures, what it says of itself, and where its numbers stand.

Everything that shows metrics loops over the records in `table`: the score document and its schema, the per-example
table, the leaderboard, the report, the page of the results, the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

#: Name -> numbers of each example (of each model, for a metric that compares roles): arrays [examples, ...].
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Given:
    """What a metric may know besides the outputs that it compares.

    Attributes
    ----------
    delta : float
        Of (epsilon, delta).
    models : (int, int)
        Retrained and unlearned models of the whole comparison, of which a ceiling's halves are a part.
    seed : int in [0, 2**31)
        The metric's own, of whatever it draws.
    originals : float64 [originals, examples], or None
        The same signal of the original models on the same examples; None where there are none.
    """

    delta: float = 1e-5
    models: tuple[int, int] = (2, 2)
    seed: int = 0
    originals: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Number:
    """A number of a metric's summary.

    Attributes
    ----------
    says : what it is, in which unit
    missing : where it is null; empty where it never is
    many : whether it is a list of numbers
    text : whether it is a text
    """

    says: str
    missing: str = ""
    many: bool = False
    text: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the per-example table: ``kind`` is float, int, bool or text."""

    kind: str
    says: str


@dataclass(frozen=True)
class Shown:
    """A column of the leaderboard's second table.

    Attributes
    ----------
    heading : str
    number : which number of the summary
    says : what the reader sees there, in a few words
    role : which examples, for a metric of several roles
    form : how the number is written
    note : summary -> what stands behind the number
    """

    heading: str
    number: str
    says: str
    role: str = ""
    form: str = ".4f"
    note: Callable[[Mapping[str, Any]], str] | None = None


def _nothing_more(columns: Columns) -> Columns:
    return columns


def _no_constants(given: Given) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Metric:
    """One way to compare what two sets of models say.

    Attributes
    ----------
    name : section of the score document
    title : what people call it
    says : one sentence for the reader, without its full stop
    source : where it is published
    ideal, ceiling, floor : what perfect unlearning, retrained models against each other, and an untouched original get
    better : which way is better: ``lower``, ``higher``, ``zero`` (nearer to 0) or ``ceiling`` (nearer to the ceiling)
    measure : (reference, other, given) -> columns; both float64 [models, examples], or for a metric that compares
        roles, the same models on the examples of its two roles
    summary : columns of all examples -> name -> number; not finite where a number is missing
    numbers : the summary's numbers
    headline : which of them stands for the metric
    columns : those of `measure` that the per-example table has
    complete : adds columns that need all examples at once
    shown : columns of the leaderboard
    signal : ``confidence`` (within +-103.6) or ``loss`` (nats)
    roles : of the examples it is made on; its section is by role unless that is the forget set alone
    compares : ``sides``, or ``roles`` of one and the same models
    least_models : below this many a side it says nothing
    least_examples : the same of examples
    most_examples : more than this many of a role are not looked at; those that are lie evenly
    interval : the number of which the method's section has a 95 % interval over the models, from `measure` with models
        left out; under its name with ``_interval``. Empty for none
    constants : what its section says once; ``constant_numbers`` describes it
    caution : what must stand beside its numbers, a sentence without its full stop
    """

    name: str
    title: str
    says: str
    source: str
    ideal: str
    ceiling: str
    floor: str
    better: Literal["lower", "higher", "zero", "ceiling"]
    measure: Callable[[NDArray[np.float64], NDArray[np.float64], Given], Columns]
    summary: Callable[[Columns], Mapping[str, Any]]
    numbers: Mapping[str, Number]
    headline: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    complete: Callable[[Columns], Columns] = _nothing_more
    shown: tuple[Shown, ...] = ()
    signal: Literal["confidence", "loss"] = "confidence"
    roles: tuple[str, ...] = ("forget",)
    compares: Literal["sides", "roles"] = "sides"
    least_models: int = 2
    least_examples: int = 1
    most_examples: int | None = None
    interval: str = ""
    constants: Callable[[Given], Mapping[str, Any]] = _no_constants
    constant_numbers: Mapping[str, Number] = field(default_factory=dict)
    caution: str = ""

    @property
    def by_role(self) -> bool:
        """Whether its section has a part for each role."""
        return self.compares == "sides" and self.roles != ("forget",)

    def compared(self, document: Mapping[str, Any], role: str = "") -> Mapping[str, Any] | None:
        """Its method, ceiling and floor in a score document; None where the document has none."""
        section: Mapping[str, Any] | None = document.get(self.name)
        return section[role or self.roles[0]] if section is not None and self.by_role else section

    def value(self, document: Mapping[str, Any], side: str = "method") -> float | None:
        """Its headline number in a score document; None where that has none."""
        compared = self.compared(document)
        part = None if compared is None else compared[side]
        return None if part is None else part[self.headline]

    def goodness(self, document: Mapping[str, Any]) -> float | None:
        """The same so that more is better; None where the document has none."""
        value, ceiling = self.value(document), self.value(document, "ceiling")
        if value is None or (self.better == "ceiling" and ceiling is None):
            return None
        if self.better == "ceiling" and ceiling is not None:
            return -abs(value - ceiling)
        return {"lower": -value, "higher": value, "zero": -abs(value)}[self.better]
