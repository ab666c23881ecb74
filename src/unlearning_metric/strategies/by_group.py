"""All examples of some groups, such as all pictures of some persons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.errors import DataError
from unlearning_metric.strategies.record import Strategy
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def whole_groups(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """Every training example of the groups ``groups``, or of ``count`` or ``fraction`` of the groups.

    The latter are random ones, or with ``order: sorted`` the first in ascending order, among the groups that have
    training examples.
    """
    import numpy as np

    if candidates.groups is None:
        raise DataError(
            "forget.strategy groups needs data with groups, and these have none. casia_surf has them (persons), and a "
            "npz file that holds the array groups_train."
        )
    present = np.unique(candidates.groups)
    if settings.groups is not None:
        # As Python's integers: NumPy would compare some of 64 bits as floats.
        wanted = sorted(set(settings.groups))
        absent = sorted(set(wanted) - set(present.tolist()))
        if absent:
            raise DataError(
                f"forget.groups: {', '.join(map(str, absent[:10]))} have no training example ({len(absent)} of "
                f"{len(wanted)}); there are {len(present)} groups, from {present[0]} to {present[-1]}."
            )
        chosen = np.array(wanted, dtype=np.int64)
    else:
        count = candidates.wanted_count(settings, len(present), "groups that have training examples")
        chosen = present[:count] if settings.order == "sorted" else rng.choice(present, size=count, replace=False)
    return np.flatnonzero(np.isin(candidates.groups, chosen))


STRATEGY = Strategy(
    "groups",
    whole_groups,
    "whole groups, such as all pictures of some persons, for data that have groups (`casia_surf`, `npz` with "
    "`groups_train`): those listed in `groups`, or `count` or `fraction` of them. `order: sorted` takes the first by "
    "number",
    one_of=("count", "fraction", "groups"),
    may=("order",),
)
