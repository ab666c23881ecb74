"""All examples of some groups, such as all pictures of some persons."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.data.images import DataError
from unlearning_metric.strategies.candidates import Candidates, wanted_count


def whole_groups(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Every training example of the groups ``groups``, or of ``count`` or ``fraction`` of the groups.

    The latter are random ones, or with ``order: sorted`` the first in ascending order, among the groups that have
    training examples.
    """
    if candidates.groups is None:
        raise DataError(
            "forget.strategy groups needs data with groups, and these have none. casia_surf has them (persons), and a "
            "npz file that holds the array groups_train."
        )
    present = np.unique(candidates.groups)
    if settings["groups"] is not None:
        chosen = np.unique(settings["groups"])
        absent = np.setdiff1d(chosen, present)
        if len(absent):
            raise DataError(
                f"forget.groups: {', '.join(map(str, absent[:10]))} have no training example ({len(absent)} of "
                f"{len(chosen)}); there are {len(present)} groups, from {present[0]} to {present[-1]}."
            )
    else:
        count = wanted_count(settings, len(present), "groups that have training examples")
        chosen = present[:count] if settings["order"] == "sorted" else rng.choice(present, size=count, replace=False)
    return np.flatnonzero(np.isin(candidates.groups, chosen))
