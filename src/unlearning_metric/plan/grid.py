"""Grids of hyper-parameters: their points, what each is called, and a method at one of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from unlearning_metric.keys.origin import digest


def points_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of a grid's values, the last name's changing first; none of an empty grid."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())] if grid else []


def point_name(method: str, point: Mapping[str, Any]) -> str:
    """What a point of a method's grid is called, by its values: a grid that grows keeps the points that it had."""
    return f"{method}__{digest(dict(point))[:8]}"


def with_point(
    options: Mapping[str, Any], interface: Mapping[str, Any], point: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hyper-parameters and interface of a method with the values of a point in their places.

    Parameters
    ----------
    interface : as `Interface.settings` gives it
    point : name -> value; a name with dots is a place within ``arguments``
    """
    chosen, called = copy.deepcopy(dict(options)), copy.deepcopy(dict(interface))
    for name, value in point.items():
        *holders, last = name.split(".")
        place: Any = called if holders else chosen
        for holder in holders:
            place = place[holder]
        place[last] = value
    return chosen, called
