"""The score document: every field, what it means, in which unit.

`python -m unlearning_metric.scoring.schema` prints it.

`score` builds plain dictionaries and has them checked here, so that what is documented is what is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from unlearning_metric.metrics.record import Metric, Number
from unlearning_metric.metrics.table import METRICS

#: 2: every metric, intervals, subsets of models and strata.
SCHEMA_VERSION = 2

Interval = tuple[float, float]
Value = TypeVar("Value", bound=BaseModel)


class _Part(BaseModel):
    # Not strict: a document read back from JSON has lists where there were tuples.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Compared(_Part, Generic[Value]):
    """A metric of the method, and of what it is to be read against.

    These metrics depend on the number of models. Where the ceiling comes from halves of the retrained models, compare
    it and the floor with `method_like_ceiling`, which has as many models a side.
    """

    method: Value = Field(description="Unlearned against retrained models, all of them.")
    floor: Value | None = Field(
        description="The untouched originals against retrained models, as many as the ceiling has; null without "
        "originals or where there are too few models."
    )
    ceiling: Value | None = Field(
        description="Retrained against retrained models: the second set, or two halves of the first; null where there "
        "are too few."
    )
    method_like_ceiling: Value | None = Field(description="The method on the ceiling's number of models.")
    ceiling_models: int = Field(description="Models a side of the ceiling and the floor.")


class Sets(_Part):
    """One 95 % interval for each of two questions."""

    models: Interval = Field(description="Another draw of the models, these forget examples.")
    models_and_examples: Interval = Field(description="Another draw of the models and of the forget examples.")


class Intervals(_Part):
    """95 % intervals. From one original they leave out the choice of it; from several they are of the mean over
    originals drawn at random.
    """

    level: float = Field(description="Nominal coverage.")
    reason: str | None = Field(
        description="Why there are none (fewer than 16 models a side or 8 forget examples); null where there are."
    )
    forgetting_score: Sets | None
    final_score: Sets | None
    relative: Sets | None
    ceiling: Sets | None


class OfOriginals(_Part):
    """A score from each original, its mean, and what that says of other originals."""

    each: list[float] = Field(description="From each original, in their order; N copies each.")
    mean: float
    sd: float = Field(description="Between the originals: of their choice, and of the copies of each.")
    interval_of_mean: Interval | None = Field(
        description="Of the mean: other originals, other models. Null where challenge.interval says why."
    )
    interval_of_another: Interval | None = Field(
        description="Of the score from one more original. Null for two originals, which do not say how far others are, "
        "and where challenge.interval says why."
    )


class ByOriginal(_Part):
    """The scores from each of several originals, all against the same retrained models."""

    level: float = Field(description="Nominal coverage.")
    forgetting_score: OfOriginals
    final_score: OfOriginals | None


class Challenge(_Part):
    """The score of the NeurIPS 2023 Unlearning Challenge."""

    forgetting_score: float = Field(description="F: mean points of the forget examples, within [0, 1].")
    final_score: float | None = Field(description="F times the retain and the test accuracy ratio; null without them.")
    final_score_clipped: float | None = Field(description="The same with both ratios cut at 1.")
    floor: float | None = Field(description="F of the untouched originals; null where none were given.")
    ceiling: float | None = Field(
        description="F of retrained models, an estimate of what perfect unlearning gets; null for half-splits of fewer "
        "than 6 models."
    )
    ceiling_source: str = Field(
        description="split: mean of ten random half-splits of the retrained models, times `ceiling_correction`; "
        "retrain: a second set of them."
    )
    ceiling_uncorrected: float | None = Field(description="The mean of half-splits as it is; null for a second set.")
    ceiling_correction: float | None = Field(
        description="Ceiling of simulated pairs of N against N models over that of N/2 against N/2, with the retrained "
        "models' spreads and shape; null for a second set."
    )
    relative: float | None = Field(description="forgetting_score / ceiling; null without a ceiling, or where it is 0.")
    interval: Intervals
    epsilon_quantiles: dict[str, float | None] = Field(description="Of the defined epsilons, in nats.")
    points_histogram: dict[str, int] = Field(description="Points -> number of forget examples.")
    n_infinite: int = Field(description="Examples that some threshold tells apart without error; epsilon is 50.")
    n_peaky: int = Field(description="Examples with one side's range below 1 % of the other's; epsilon is 50.")
    n_undefined: int = Field(description="Examples without a usable threshold; 0 points.")
    undefined_examples: list[int]
    retrained_sd_median: float = Field(description="Median over examples of the retrained models' spread.")


class Subset(_Part):
    """The score of fewer models. Never rank scores of different numbers of models: a method's falls with it."""

    models: int = Field(description="Models a side.")
    subsets: int = Field(description="Random subsets averaged.")
    forgetting_score: float = Field(description="Mean over the subsets.")
    interval: Interval | None = Field(
        description="95 %, another draw of the models, of the mean over the subsets: one run with so few models varies "
        "more. Null below 16 models in all or 8 forget examples. From several originals the mean of the intervals from "
        "each, which leaves out their choice."
    )


class Stratum(_Part):
    """The score of some of the forget examples."""

    examples: int
    forgetting_score: float
    interval: Interval | None = Field(
        description="95 %, another draw of the models; null for fewer than 8 examples or 16 models. From several "
        "originals the mean of the intervals from each, which leaves out their choice."
    )


class Strata(_Part):
    """The forgetting score of parts of the forget set, by name."""

    label: dict[str, Stratum] = Field(description="By the class's name, or its number where that is not known.")
    group: dict[str, Stratum] | None = Field(description="Null where the data have no groups.")
    difficulty: dict[str, Stratum] = Field(
        description="Thirds of the examples by the retrained models' median loss: easy, medium, hard."
    )


def _field(number: Number) -> tuple[Any, Any]:
    kind: Any = str if number.text else list[float] if number.many else float
    return kind | None if number.missing else kind, Field(description=number.says)


def _fields(numbers: Mapping[str, Number]) -> dict[str, Any]:
    return {name: _field(number) for name, number in numbers.items()}


def _section(metric: Metric) -> tuple[Any, Any]:
    """A metric's part of the document: one `Compared`, or one for each role."""
    name = metric.name.title().replace("_", "")
    value = create_model(f"{name}Value", __base__=_Part, **_fields(metric.numbers))
    says = f"{metric.says[:1].upper()}{metric.says[1:]}."
    once = _fields(metric.constant_numbers)
    if metric.interval:
        once[f"{metric.interval}_interval"] = (
            Interval | None,
            Field(description="Meant as 95 %, over another draw of the models; null below 16 models or 8 examples."),
        )
    section: Any = Compared[value]  # type: ignore[valid-type]
    if metric.by_role:
        absent = Field(description="Null where not recorded.")
        fields = {role: (section, ...) if role == "forget" else (section | None, absent) for role in metric.roles}
        section = create_model(name, __base__=_Part, __doc__=says, **fields, **once)
    elif once:
        section = create_model(name, __base__=section, __doc__=says, **once)
    if metric.compares == "roles":
        section = section | None
        says += f" Null without losses or {metric.least_examples} examples of both."
    return section, Field(description=says)


class Accuracy(_Part):
    unlearned: float | None
    retrained: float | None
    ratio: float | None


class Utility(_Part):
    """Mean accuracies and their ratios, unlearned / retrained; null where not recorded."""

    retain: Accuracy
    test: Accuracy
    forget: Accuracy


class Point(_Part):
    """A point of a grid of hyper-parameters, and how it scored where hyper-parameters are chosen."""

    options: dict[str, Any]
    final_score: float | None
    forgetting_score: float
    diverged: int = Field(description="Copies that diverged.")


class ForgetSet(_Part):
    strategy: str
    size: int


class Tuned(_Part):
    """What hyper-parameters were chosen, in an experiment of its own: other examples to forget, other models."""

    options: dict[str, Any] = Field(description="What was chosen; this method was run with it.")
    by: Literal["final_score", "forgetting_score"] = Field(description="The figure that was largest.")
    points: list[Point] = Field(description="All that was tried, in the order of the grid.")
    copies: int = Field(description="Models a side of that experiment.")
    forget: ForgetSet = Field(description="What was to be forgotten there; none of it is forgotten here.")
    experiment_seed: int = Field(description="Seed of that experiment.")
    warnings: list[str] = Field(description="What a reader has to know of the choice.")


class _Document(_Part):
    """What is known of one method on one experiment."""

    schema_version: int
    method: str
    copies: int = Field(description="Models a side, N.")
    originals: int = Field(description="Original models; 0 where none were given.")
    originals_mode: Literal["each", "per_copy", "mixture"] = Field(
        description="each: N copies from each of the originals, and numbers are means over these (counts add up). "
        "per_copy: copy i from original i, a mixture over originals. mixture: made elsewhere, copy i from original i "
        "mod originals. Scores of different modes, or of different numbers of originals, are not comparable."
    )
    by_original: ByOriginal | None = Field(description="The score from each original; null where they are not several.")
    dataset: str
    model: str
    forget: ForgetSet
    challenge: Challenge
    by_models: list[Subset] = Field(description="The score at N/8, N/4, N/2 and N.")
    strata: Strata
    utility: Utility
    efficiency: dict[str, Any] = Field(
        description="Seconds a copy and a retraining, CPU seconds on a CPU and device seconds on a GPU (`clock`); "
        "their ratio with an interval, examples read as a share of a retraining's, limit and verdict."
    )
    tuned: Tuned | None = Field(
        None, description="How hyper-parameters were chosen; null for a method without a grid (`tune`)."
    )
    cuda: Literal["pretend"] | None = Field(
        None,
        description="pretend: where there is no CUDA, the method's code that asks for it by name ran on the CPU.",
    )
    diverged: list[int] = Field(
        description="Copies with non-finite parameters or outputs, counted as wrong; copy i from original k is k N + i."
    )
    warnings: list[str] = Field(description="What a reader has to know of the inputs, a sentence each.")
    provenance: dict[str, Any] = Field(
        description="Configuration and keys; `run` (host, versions, seconds) is no part of the canonical form."
    )


ScoreDocument = create_model(
    "ScoreDocument",
    __base__=_Document,
    __doc__=_Document.__doc__,
    **{name: _section(metric) for name, metric in METRICS.items()},
)


def json_schema() -> dict[str, Any]:
    """JSON schema of the score document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ScoreDocument.model_json_schema()}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, sort_keys=True))
