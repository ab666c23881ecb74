"""The score document: every field, what it means, in which unit.

`python -m unlearning_metric.scoring.schema` prints it.

`score` builds plain dictionaries and has them checked here, so that what is documented is what is written.
"""

from __future__ import annotations

import json
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

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
        description="Of the score from one more original. Null where challenge.interval says why."
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
        description="F of retrained models: what perfect unlearning gets; null for half-splits of fewer than 6 models."
    )
    ceiling_source: str = Field(
        description="split: mean of ten random half-splits of the retrained models; retrain: a second set of them."
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
    """The score of fewer models. Never rank scores of different numbers of models: a method's fall with it."""

    models: int = Field(description="Models a side.")
    subsets: int = Field(description="Random subsets averaged.")
    forgetting_score: float
    interval: Interval | None = Field(
        description="95 %, another draw of the models; null below 16 models in all or 8 forget examples."
    )


class Stratum(_Part):
    """The score of some of the forget examples."""

    examples: int
    forgetting_score: float
    interval: Interval | None = Field(
        description="95 %, another draw of the models; null for fewer than 8 examples or 16 models."
    )


class Strata(_Part):
    """The forgetting score of parts of the forget set, by name."""

    label: dict[str, Stratum] = Field(description="By the class's name, or its number where that is not known.")
    group: dict[str, Stratum] | None = Field(description="Null where the data have no groups.")
    difficulty: dict[str, Stratum] = Field(
        description="Thirds of the examples by the retrained models' median loss: easy, medium, hard."
    )


class HeldoutValue(_Part):
    epsilon_median: float = Field(description="Nats; rules chosen on some models, counted on others.")
    epsilon_mean: float
    bound_median: float = Field(description="Lower 95 % bound of epsilon, each example by itself.")
    bound_max: float
    share_shown: float = Field(description="Share of examples whose bound is above 0.")
    forgetting_score: float = Field(description="Points of these epsilons; not on one axis with the challenge's.")


class Heldout(Compared[HeldoutValue]):
    """Held-out epsilon with Clopper-Pearson bounds."""

    largest_bound: float = Field(description="What this number of models can show at most, in nats.")


class KlomValue(_Part):
    mean: float = Field(description="Nats, mean over examples; 0 is ideal, falls as 1 / models for equal laws.")
    p95: float


class Klom(_Part):
    """KL divergence of margins on forget examples, a sample of retain examples and test examples."""

    forget: Compared[KlomValue]
    probe: Compared[KlomValue] | None
    test: Compared[KlomValue] | None


class UliraValue(_Part):
    accuracy: float = Field(description="Mean over examples; 0.5 is ideal.")
    accuracy_worst: float
    auc: float
    auc_worst: float
    tpr: float = Field(description="True-positive rate at 1 % false positives; 0.01 is ideal.")
    tpr_worst: float


class TwoSampleValue(_Part):
    told_apart: float = Field(
        description="Share of examples told apart by Kolmogorov-Smirnov at a false-discovery rate of 5 %; 0 is ideal."
    )
    p_median: float
    mu_median: float | None = Field(description="|mean difference| / pooled sd; null where infinite.")


class MiaValue(_Part):
    accuracy: float = Field(description="Mean over models; 0.5 is ideal, but compare with the ceiling.")
    sd: float = Field(description="Over models.")


class SeedValue(_Part):
    score: float | None = Field(description="Mean of the defined examples; null if none is.")
    accuracy: float = Field(description="Mean held-out accuracy of the attack.")
    dropped_share: float = Field(description="Share of examples that are undefined and left out of the score.")


class Seed(Compared[SeedValue]):
    """The seed notebook's score. Legacy: read the flaw."""

    threshold: float = Field(description="Epsilon beyond which the points stop falling.")
    flaw: str


class Accuracy(_Part):
    unlearned: float | None
    retrained: float | None
    ratio: float | None


class Utility(_Part):
    """Mean accuracies and their ratios, unlearned / retrained; null where not recorded."""

    retain: Accuracy
    test: Accuracy
    forget: Accuracy


class ForgetSet(_Part):
    strategy: str
    size: int


class ScoreDocument(_Part):
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
    heldout: Heldout
    klom: Klom
    ulira: Compared[UliraValue]
    two_sample: Compared[TwoSampleValue]
    simple_mia: Compared[MiaValue] | None = Field(description="Null where test losses or 10 examples a side lack.")
    seed: Seed
    utility: Utility
    efficiency: dict[str, Any] = Field(description="Seconds a copy, a retrained model, their ratio, the limit.")
    diverged: list[int] = Field(
        description="Copies with non-finite parameters or outputs, counted as wrong; copy i from original k is k N + i."
    )
    warnings: list[str] = Field(description="What a reader has to know of the inputs, a sentence each.")
    provenance: dict[str, Any] = Field(
        description="Configuration and keys; `run` (host, versions, seconds) is no part of the canonical form."
    )


def json_schema() -> dict[str, Any]:
    """JSON schema of the score document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ScoreDocument.model_json_schema()}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, sort_keys=True))
