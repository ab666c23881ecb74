"""A method's scores from each of several originals -> one document: means, spread between originals, intervals.

A method started from another original is another draw of the method's score: copies from K originals in one ensemble
would be a mixture, whose score is another quantity and moves with K. So each original's copies are scored by
themselves, all against the same retrained models, and what is shown is the mean of the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from unlearning_metric.metrics.intervals import another_original_interval, score_interval
from unlearning_metric.metrics.replicates import Replicates, mean_replicates
from unlearning_metric.scoring.intervals import LEAST_ORIGINALS, LEVEL, ScoreReplicates, intervals_section
from unlearning_metric.scoring.schema import ScoreDocument
from unlearning_metric.scoring.score import Score

#: Counts of the challenge's section, of (original, example) pairs here: they add up.
_COUNTS = ("n_infinite", "n_peaky", "n_undefined")


def over_originals(scores: Sequence[Score]) -> Score:
    """One score of a method from its scores from each original, in the order of the originals.

    Every number of the document is the mean over the originals but for counts, which add up; ``challenge.interval``
    and ``by_original`` take the originals as drawn at random. A row of the table is an (original, example).

    Parameters
    ----------
    scores : at least two, against the same retrained models
    """
    documents = [score.document for score in scores]
    first, copies = documents[0], documents[0]["copies"]
    replicates = _replicates([score.replicates for score in scores])
    merged = _mean([_without(document) for document in documents])
    challenge = merged["challenge"]
    for name in _COUNTS:
        challenge[name] = sum(document["challenge"][name] for document in documents)
    histogram = sum((Counter(document["challenge"]["points_histogram"]) for document in documents), Counter())
    challenge["points_histogram"] = {points: histogram[points] for points in sorted(histogram, key=float)}
    undefined = {example for document in documents for example in document["challenge"]["undefined_examples"]}
    challenge["undefined_examples"] = sorted(undefined)
    challenge["interval"] = intervals_section(replicates, copies, first["forget"]["size"])
    if len({document["efficiency"]["verdict"] for document in documents}) > 1:
        merged["efficiency"] |= {"verdict": "unclear", "within_limit": None}
    document = {
        **merged,
        "originals": len(scores),
        "by_original": _by_original(documents, replicates),
        "diverged": [
            number * copies + copy for number, document in enumerate(documents) for copy in document["diverged"]
        ],
        "warnings": _warnings(documents),
        "provenance": first["provenance"],
    }
    ScoreDocument.model_validate(document)
    return Score(document, _tables([score.samples for score in scores]), replicates)


def _without(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a document is averaged."""
    left_out = ("diverged", "warnings", "provenance", "by_original")
    kept = {name: value for name, value in document.items() if name not in left_out}
    counted = (*_COUNTS, "points_histogram", "undefined_examples", "interval")
    challenge = {name: value for name, value in document["challenge"].items() if name not in counted}
    return {**kept, "challenge": challenge}


def _mean(values: Sequence[Any]) -> Any:
    """Mean over the originals of everything that is a number, however deep; None where what is no number differs."""
    first = values[0]
    if all(value == first for value in values):
        return first
    if all(isinstance(value, Mapping) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: _mean([value.get(name) for value in values]) for name in names}
    if all(isinstance(value, list | tuple) and len(value) == len(first) for value in values):
        return [_mean(parts) for parts in zip(*values, strict=True)]
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return float(np.mean(values))
    return None


def _replicates(each: Sequence[ScoreReplicates | None]) -> ScoreReplicates | None:
    found = [one for one in each if one is not None]
    if len(found) < len(each):
        return None
    finals = [one.final for one in found if one.final is not None]
    return ScoreReplicates(
        forgetting=mean_replicates([one.forgetting for one in found]),
        final=mean_replicates(finals) if len(finals) == len(found) else None,
        ceiling=found[0].ceiling,
        from_splits=found[0].from_splits,
    )


def _by_original(documents: Sequence[Mapping[str, Any]], found: ScoreReplicates | None) -> dict[str, Any]:
    """The document's ``by_original``."""

    def section(name: str, replicates: Replicates | None) -> dict[str, Any] | None:
        values = [document["challenge"][name] for document in documents]
        if any(value is None for value in values):
            return None
        another = None
        if replicates is not None and len(values) >= LEAST_ORIGINALS:
            another = list(another_original_interval(replicates))
        return {
            "each": values,
            "mean": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)),
            "interval_of_mean": None if replicates is None else list(score_interval(replicates)),
            "interval_of_another": another,
        }

    return {
        "level": LEVEL,
        "forgetting_score": section("forgetting_score", None if found is None else found.forgetting),
        "final_score": section("final_score", None if found is None else found.final),
    }


def _warnings(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """The warnings of the documents, each once, with the originals it is of where it is not of all."""
    originals: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        for warning in document["warnings"]:
            originals.setdefault(warning, []).append(number)
    return [
        warning
        if len(numbers) == len(documents)
        else f"copies from original{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {warning}"
        for warning, numbers in originals.items()
    ]


def _tables(tables: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The per-example tables below each other, with the number of the original in a second column."""
    rows = [len(table["example"]) for table in tables]
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    example = joined.pop("example")
    return {"example": example, "original": np.repeat(np.arange(len(tables)), rows), **joined}
