"""The metrics of a score document besides the challenge's score, in the order in which they are shown.

To add one, write its file with a record and name the record here.
"""

from __future__ import annotations

from unlearning_metric.metrics import (
    cliffs_delta,
    collateral,
    completeness,
    heldout,
    klom,
    pooled_roc,
    seed_notebook,
    simple_mia,
    two_sample,
    ulira,
)
from unlearning_metric.metrics.record import Metric

#: Section of the score document -> its record.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        heldout.METRIC,
        two_sample.METRIC,
        klom.METRIC,
        ulira.METRIC,
        pooled_roc.METRIC,
        cliffs_delta.METRIC,
        completeness.METRIC,
        collateral.METRIC,
        simple_mia.METRIC,
        seed_notebook.METRIC,
    )
}
