"""Whether the models of an ensemble, or of two sides, are separate models: by how near their outputs lie.

Two models trained apart differ, on many examples together, about as much as any other two. A model that was evaluated
twice (in another precision, order or on another device) lies far nearer to itself than that; how near two models may
come by chance depends on how many examples tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unlearning_metric.outputs.ensemble import SATURATION, Ensemble
from unlearning_metric.store.files import StoreError

#: Examples of a role that are compared at most: enough to tell any two models apart.
MOST_EXAMPLES = 2000
#: Distance between the outputs of one model evaluated twice, as a share of that of two models: at most this.
LARGEST_SHARE = 0.2
#: Probability that some two separate models come as near by chance.
CHANCE = 1e-6
#: Confidences above this are cut before two sides are compared: a float32 loss or probability cannot tell them.
TELLING = 12.0
#: Models of an ensemble are all but equal where their confidences spread less than this share of their size.
SAME = 1e-3


def refuse_mixed(sides: Mapping[str, Ensemble]) -> None:
    """Check that the sides of a score belong together and are not the same models.

    Parameters
    ----------
    sides : ``retrained`` and what is compared with it, by name

    Raises
    ------
    StoreError
        If a side lists other examples, or in another order, or shares a model with the retrained side, evaluated again
        or not: the same models on both sides mean nothing. Diverged models are alike without being the same.
    """
    retrained = sides["retrained"]
    for name, side in sides.items():
        if side is retrained:
            continue
        if side.order != retrained.order or not np.array_equal(side.forget.examples, retrained.forget.examples):
            raise StoreError(
                f"the dumps of the {name} models list other forget examples, or in another order, than those of the "
                f"retrained models (hash of the split {side.order}, {retrained.order}). Both must come from one split: "
                "delete the wrong side's dumps and run again."
            )
        if found := same_models(retrained, side):
            first, second, distance = found
            how = "bit by bit" if distance == 0.0 else "but for what another precision, order or device changes"
            raise StoreError(
                f"model {second} of the {name} side has the same outputs, {how}, as retrained model {first}: a "
                "checkpoint or a seed is shared between the sides, and the score would mean nothing. Use separate "
                "models."
            )


def joined_outputs(sides: Sequence[Ensemble]) -> list[np.ndarray]:
    """Confidences [models, examples] of each side on all examples that every side has outputs of, saturated."""
    roles = [role for role in sides[0].roles if all(role in side.roles for side in sides)]
    return [
        np.concatenate(
            [
                np.clip(side.roles[role].confidence[:, :MOST_EXAMPLES], -SATURATION, SATURATION).astype(np.float64)
                for role in roles
            ],
            axis=1,
        )
        for side in sides
    ]


def sound(side: Ensemble) -> np.ndarray:
    """Positions of the models that neither diverged nor saturate everywhere, which makes models alike, not the same."""
    told = (np.abs(joined_outputs([side])[0]) < SATURATION).any(axis=1)
    return np.flatnonzero(told & ~np.isin(side.models, side.diverged))


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between the rows of two arrays about one mean: [rows, rows]."""
    squares = [np.square(values).sum(axis=1) for values in (first, second)]
    distances = squares[0][:, None] + squares[1] - 2.0 * first @ second.T
    # A small difference of large sums is mostly rounding: such pairs are computed again, value by value.
    for place in np.argwhere(distances <= 1e-6 * (squares[0][:, None] + squares[1])):
        distances[tuple(place)] = np.square(first[place[0]] - second[place[1]]).sum()
    return distances


def same_models(retrained: Ensemble, side: Ensemble) -> tuple[int, int, float] | None:
    """A retrained model and one of another side that are the same model, evaluated again; None where there is none.

    Returns
    -------
    model of the retrained side, model of the other side, their distance as a share of that of two retrained models: 0
    where they are equal bit by bit
    """
    members = [sound(retrained), sound(side)]
    outputs = [values[rows] for values, rows in zip(joined_outputs([retrained, side]), members, strict=True)]
    if not all(map(len, outputs)):
        return None
    reference, other = _standardised(*(np.minimum(values, TELLING) for values in outputs))
    within = squared_distances(reference, reference)[np.triu_indices(len(reference), 1)]
    usual = float(np.median(within)) if len(within) else 0.0
    distances = squared_distances(reference, other)
    nearest = distances.argmin(axis=0)
    found = []
    for second, first in enumerate(nearest):
        # One to one: equal copies on the other side come near a retrained model together, or not at all.
        if distances[first].argmin() != second:
            continue
        if np.array_equal(outputs[0][first], outputs[1][second]):
            found.append((0.0, first, second))
        elif usual > 0.0:
            # What is cut on either side says nothing; fewer examples come near by chance more easily.
            told = (outputs[0][first] < TELLING) & (outputs[1][second] < TELLING)
            part = float(told.mean())
            square = float(np.square(reference[first] - other[second])[told].sum())
            share = (square / (usual * part)) ** (0.5 * part) if part > 0.0 else 1.0
            found.append((share, first, second))
    found.sort()
    directions = independent_directions(reference)
    for count, (share, _, _) in enumerate(found, 1):
        if share <= nearest_share(directions, distances.size, count):
            least, first, second = found[0]
            return int(retrained.models[members[0][first]]), int(side.models[members[1][second]]), least
    return None


def _standardised(reference: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides, less the reference's mean and with no example's spread above the usual one."""
    spread = reference.std(axis=0)
    usual = float(np.median(spread))
    weight = 1.0 / np.maximum(spread, usual) if usual > 0.0 else np.ones_like(spread)
    return (reference - reference.mean(axis=0)) * weight, (other - reference.mean(axis=0)) * weight


def independent_directions(outputs: np.ndarray) -> float:
    """In how many directions models [models, examples] differ, about their mean: the covariance's participation ratio.

    Examples are not independent of each other, and few models show fewer directions than there are.
    """
    products = outputs @ outputs.T
    total = float(np.square(products).sum())
    return float(np.trace(products)) ** 2 / total if total > 0.0 else 1.0


def nearest_share(directions: float, pairs: int, count: int = 1) -> float:
    """Share of the usual distance below which ``count`` of ``pairs`` pairs of separate models do not come by chance.

    In d independent directions the share of pairs nearer than a share t of the usual distance is about t^d.
    """
    return min(LARGEST_SHARE, (CHANCE ** (1.0 / count) / pairs) ** (1.0 / directions))


def repeated_models(side: Ensemble) -> list[list[int]]:
    """Groups of models of an ensemble whose outputs are equal, or nearer to each other than separate models come."""
    rows = sound(side)
    outputs = joined_outputs([side])[0][rows]
    if len(rows) < 2:
        return []
    centred, _ = _standardised(outputs, outputs)
    distances = squared_distances(centred, centred)
    pairs = np.triu_indices(len(rows), 1)
    # Where most models are one, the median is not that of separate models.
    usual = max(float(np.median(distances[pairs])), float(np.quantile(distances[pairs], 0.9)) / 16)
    alike = distances <= usual * nearest_share(independent_directions(centred), len(pairs[0])) ** 2
    size = max(float(np.sqrt(np.square(outputs).mean())), 1.0)
    if np.square(outputs - outputs.mean(axis=0)).mean() <= (SAME * size) ** 2:
        alike[:] = True
    groups, placed = [], np.zeros(len(rows), dtype=bool)
    for first in range(len(rows)):
        if placed[first]:
            continue
        members = np.flatnonzero(alike[first] & ~placed)
        placed[members] = True
        if len(members) > 1:
            groups.append(side.models[rows[members]].tolist())
    return groups
