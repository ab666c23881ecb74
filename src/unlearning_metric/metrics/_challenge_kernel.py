"""Compiled search for the largest epsilon over the challenge's threshold grid.

The published code ([C] google-deepmind/unlearning_evaluation, ``metric.py``) builds a mask of all models for
each of about 160,000 intervals. Here the values of both sides come sorted together, and all thresholds between two
neighbours are one rule: its epsilon is looked up from its counts of errors, and only a rule that would beat what was
found already has to prove that the grid contains it. Everything that is rounded (grids, rates, logarithms) is rounded
as there: no ``fastmath``, and the logarithms are looked up in float32 tables that numpy made.

Where only points are asked for, an epsilon counts by its bucket, so a rule that stays in the bucket of what was found
has nothing to prove, and past the last bucket nothing is looked for. ``tables`` are the two of logarithms and, for each
bucket, its last float32; of no bucket where the epsilon itself is asked for.

Long, but one module: numba compiles anew when a function's own file changes, and would go on with kept code where a
function that it calls stood in another file.
"""

from __future__ import annotations

import math

import numpy as np

from unlearning_metric.metrics._compiled import compiled

FINITE, PEAKY, INFINITE, UNDEFINED = 0, 1, 2, 3

_PEAKY_RATIO = 0.01
_BUFFER = 2.0
_PER_UNIT = 100
_LEFT_POINTS = 400  # ceil(2 * _BUFFER * _PER_UNIT)
_BUCKET = 0.5
_NOTHING_YET = np.float32(-1.0)
_ZERO = np.float32(0.0)
_NO_MORE = np.float32(np.inf)


@compiled
def _to_beat(best, tops):
    """What an epsilon must be above to count for more than `best`: infinite where none does."""
    if tops.size == 0 or best < _ZERO:
        return best
    bucket = int(best / _BUCKET)
    return tops[bucket] if bucket < tops.size else _NO_MORE


@compiled
def _larger(best, fp, fn, tables):
    """The larger of `best` and the epsilon of one threshold with `fp` and `fn` errors, both at least 1."""
    log_room, log_rate, _ = tables
    first = log_room[fp] - log_rate[fn]
    second = log_room[fn] - log_rate[fp]
    # A NaN (a rate of 1) fails every comparison, so it is ignored; any number at all lifts the result to 0.
    if best < _ZERO and (first == first or second == second):
        best = _ZERO
    if first > best:
        best = first
    if second > best:
        best = second
    return best


@compiled
def single_threshold(low, high, step, count, index):
    """Point `index` of ``torch.linspace(low, high, count)``; `low`, `high` and `step` are float32.

    torch steps up from `low` in the first half and down from `high` in the second, with a fused multiply-add.
    The product of a float32 and an index below 2**24 is exact in float64, so float64 arithmetic rounded at
    the end equals the fused operation (but for double rounding, about once in 2**29 points).
    """
    if index < count // 2:
        return np.float32(np.float64(low) + np.float64(step) * index)
    return np.float32(np.float64(high) - np.float64(step) * (count - 1 - index))


@compiled
def _single_between(below, upto, low, high, step, count):
    """Whether a point t of the single thresholds' grid has ``below < t <= upto``."""
    if count == 1:
        # One point is the lower end, although the general formula would give the upper one.
        return below < low <= upto
    # Each half ascends; where they meet, float32 rounding may take a step back.
    for half in range(2):
        first, last = (count // 2, count - 1) if half else (0, count // 2 - 1)
        index = first + min(max(int((upto - single_threshold(low, high, step, count, first)) / step), 0), last - first)
        while index < last and single_threshold(low, high, step, count, index + 1) <= upto:
            index += 1
        while index >= first and single_threshold(low, high, step, count, index) > upto:
            index -= 1
        if index >= first and single_threshold(low, high, step, count, index) > below:
            return True
    return False


@compiled
def _best_single(best, values, positive, negative, tables):
    """What the rules "positive iff confidence >= threshold" leave to beat, and whether one separates.

    `positive` and `negative` count those of each side among the first k `values`.
    """
    n = positive[-1]
    count = math.ceil((values[2 * n - 1] - values[0]) * _PER_UNIT)
    if count == 0:
        return best, False
    low, high = np.float32(values[0]), np.float32(values[2 * n - 1])
    step = np.float32((high - low) / np.float32(count - 1)) if count > 1 else _ZERO
    if negative[n] == n and _single_between(values[n - 1], values[n], low, high, step, count):
        return best, True
    # Beyond all values of one side there is one kind of error at most. Between equal values lies no threshold.
    for below in range(1, 2 * n):
        fn, fp = positive[below], n - negative[below]
        if fp > 0 and fn > 0 and values[below - 1] < values[below]:
            candidate = _larger(best, fp, fn, tables)
            if candidate > best and _single_between(values[below - 1], values[below], low, high, step, count):
                best = _to_beat(candidate, tables[2])
    return best, False


@compiled
def _left_between(below, upto, first_left, last_left):
    """Whether a left end t of one row of the grid has ``below < t <= upto``."""
    if below < last_left <= upto:
        return True
    if first_left > upto or last_left <= below:
        return False
    step = (last_left - first_left) / (_LEFT_POINTS - 1)
    last = _LEFT_POINTS - 2
    column = min(max(int((upto - first_left) / step), 0), last)
    while column < last and (column + 1) * step + first_left <= upto:
        column += 1
    while column >= 0 and column * step + first_left > upto:
        column -= 1
    return column >= 0 and column * step + first_left > below


@compiled
def _right(row, count, first_right, last_right):
    """Right end of a row of the grid."""
    return last_right if row == count - 1 else row * ((last_right - first_right) / (count - 1)) + first_right


@compiled
def _first_row(least, count, first_right, last_right):
    """The first row of the grid whose right end is at least `least`, or `count`."""
    if least > last_right:
        return count
    row = min(max(int((least - first_right) / ((last_right - first_right) / (count - 1))), 0), count - 1)
    while row > 0 and _right(row - 1, count, first_right, last_right) >= least:
        row -= 1
    while _right(row, count, first_right, last_right) < least:
        row += 1
    return row


@compiled
def _in_rows(below, upto, row, end, width, count, first_right, last_right):
    """Whether a left end t of the rows ``row .. end - 1`` has ``below < t <= upto``."""
    for index in range(row, end):
        right = _right(index, count, first_right, last_right)
        if _left_between(below, upto, right - width - _BUFFER, right - width + _BUFFER):
            return True
    return False


@compiled
def _best_interval(best, values, narrow, wide, ends, width, tables):
    """What the rules "narrow iff left <= confidence <= right" leave to beat, and whether one separates.

    `narrow` and `wide` count those of each side among the first k `values`; the narrow side has these `ends`. Right
    ends between two neighbours are one group, and so are left ends. An epsilon above `best` has

        fp + exp(best) fn < n    or    fn + exp(best) fp < n,

    and the smallest of either sum over all left ends so far is known for each group of right ends at once, so that most
    groups are never looked into; nor is the grid, for a group has no left end beyond those of its upper neighbour.
    """
    n = narrow[-1]
    first_right, last_right = ends[0] + width - _BUFFER, ends[1] + _BUFFER
    to_right = 2 * n
    while to_right > 0 and values[to_right - 1] > first_right:
        to_right -= 1
    seen = 0
    changed = True
    factor = least = least_inner = other = other_inner = np.inf
    while to_right <= 2 * n and best < _NO_MORE and (to_right == 0 or values[to_right - 1] <= last_right):
        following = values[to_right] if to_right < 2 * n else np.inf
        farthest = min(following, last_right) - width + _BUFFER
        if changed:
            # Rounded down, so that the float32 tables cannot know better.
            factor = np.exp(np.float64(best)) * (1.0 - 1e-5)
            changed, seen = False, 0
            least = least_inner = other = other_inner = np.inf
        while seen <= 2 * n and (seen == 0 or values[seen - 1] < farthest):
            first, second = factor * narrow[seen] - wide[seen], narrow[seen] - factor * wide[seen]
            least, other = min(least, first), min(other, second)
            if narrow[seen] > 0:
                least_inner, other_inner = min(least_inner, first), min(other_inner, second)
            seen += 1
        outside = n - narrow[to_right]
        # Without an error of the other kind a rule is discarded.
        first = wide[to_right] + factor * outside + (least if outside > 0 else least_inner)
        second = outside + factor * wide[to_right] + (other if outside > 0 else other_inner)
        # All of the narrow side and none of the other, if the last n values are such.
        separates = outside == 0 and wide[to_right] - wide[to_right - n] == 0
        if best < _ZERO or first < n or second < n or separates:
            found, separable = _best_of_group(
                best, values, narrow, wide, to_right, (first_right, last_right, width), tables
            )
            if separable:
                return best, True
            best, changed = found, found > best
        to_right += 1
    return best, False


@compiled
def _best_of_group(best, values, narrow, wide, to_right, grid, tables):
    """As `_best_interval`, of the rules whose right end has `to_right` values up to it."""
    n = narrow[-1]
    first_right, last_right, width = grid
    count = math.ceil((last_right - first_right) * _PER_UNIT)
    row = 0 if to_right == 0 else _first_row(values[to_right - 1], count, first_right, last_right)
    end = count if to_right == 2 * n else _first_row(values[to_right], count, first_right, last_right)
    if row == end:
        return best, False
    last_left = _right(end - 1, count, first_right, last_right) - width + _BUFFER
    start = np.searchsorted(values, _right(row, count, first_right, last_right) - width - _BUFFER)
    for below in range(start, 2 * n + 1):
        if below > start and values[below - 1] >= last_left:
            break
        if 0 < below < 2 * n and values[below - 1] == values[below]:
            continue
        # Empty where left > right, which the grid contains when the width is below 2.
        fp = max(wide[to_right] - wide[below], 0)
        fn = n - max(narrow[to_right] - narrow[below], 0)
        if fp == 0 and fn > 0:
            # A shorter interval keeps fp at 0 and cannot lower fn.
            break
        candidate = best if fn == 0 or fp == 0 else _larger(best, fp, fn, tables)
        if candidate > best or (fp == 0 and fn == 0):
            above = values[below - 1] if below > 0 else -np.inf
            upto = values[below] if below < 2 * n else np.inf
            if _in_rows(above, upto, row, end, width, count, first_right, last_right):
                if fp == 0:
                    return best, True
                best = _to_beat(candidate, tables[2])
    return best, False


@compiled
def _select(pooled, places, label, values, first, second):
    """The values that `label` puts on side 1 or 2, in order, and how many of each side are among the first k."""
    size = ones = 0
    for index in range(pooled.size):
        side = label[places[index]]
        # Written in any case: a jump that cannot be foretold would cost more.
        values[size] = pooled[index]
        ones += side & 1
        first[size + 1] = ones
        size += side != 0
    for count in range(size + 1):
        second[count] = count - first[count]


@compiled
def _median(values, counts):
    """As numpy's, of the side that `counts` counts: the mean of the two in the middle of an even number."""
    half = counts[-1] // 2
    upper = np.searchsorted(counts, half + 1) - 1
    if counts[-1] % 2:
        return values[upper]
    lower = upper - 1
    while counts[lower] == half:
        lower -= 1
    return (values[lower] + values[upper]) / 2.0


@compiled
def _ends(values, counts):
    """Smallest and largest value of the side that `counts` counts."""
    first, last = 0, counts.size - 2
    while counts[first + 1] == 0:
        first += 1
    while counts[last] == counts[-1]:
        last -= 1
    return values[first], values[last]


@compiled
def _best(values, retrained, unlearned, tables):
    """Largest epsilon of an example, or what is left to beat, and its kind; from the ascending values of both sides.

    `retrained` and `unlearned` count those of each side among the first k `values`.
    """
    # The side with the larger median.
    if _median(values, retrained) > _median(values, unlearned):
        positive, negative = retrained, unlearned
    else:
        positive, negative = unlearned, retrained
    positive_ends, negative_ends = _ends(values, positive), _ends(values, negative)
    positive_range, negative_range = positive_ends[1] - positive_ends[0], negative_ends[1] - negative_ends[0]
    smaller, larger = min(positive_range, negative_range), max(positive_range, negative_range)
    # 0 / 0 is NaN in [C], which is not below the ratio: two constant sides are not peaky.
    if larger > 0.0 and smaller / larger < _PEAKY_RATIO:
        return _NO_MORE, PEAKY
    best, separable = _best_single(_NOTHING_YET, values, positive, negative, tables)
    if not separable:
        if positive_range >= negative_range:
            best, separable = _best_interval(best, values, negative, positive, negative_ends, smaller, tables)
        else:
            best, separable = _best_interval(best, values, positive, negative, positive_ends, smaller, tables)
    if separable:
        return _NO_MORE, INFINITE
    return best, UNDEFINED if best < _ZERO else FINITE


@compiled
def all_epsilons(pooled, places, label, log_room, log_rate, cap, epsilons, kinds):
    """Fill `epsilons` and `kinds` for every example.

    Parameters
    ----------
    pooled : float64 [examples, values], each row ascending
    places : int [examples, values], where each value stood
    label : uint8 [values]
        Of each place: 1 for a retrained model, 2 for an unlearned one; equally many of both.
    log_room, log_rate : float32 [models + 1]
        ``ln(1 - delta - k / models)`` and ``ln(k / models)`` for k errors.
    cap : float
        Epsilon of a peaky or separable example.
    epsilons : float64 [examples], output
    kinds : int8 [examples], output
        FINITE, PEAKY, INFINITE or UNDEFINED.
    """
    size = len(label)
    # One more than is kept: `_select` writes before it knows.
    values = np.empty(size + 1)
    first, second = np.zeros(size + 2, dtype=np.int64), np.zeros(size + 2, dtype=np.int64)
    tables = (log_room, log_rate, np.empty(0, dtype=np.float32))
    for example in range(len(pooled)):
        _select(pooled[example], places[example], label, values, first, second)
        best, kind = _best(values[:size], first[: size + 1], second[: size + 1], tables)
        epsilons[example] = np.nan if kind == UNDEFINED else min(np.float64(best), cap)
        kinds[example] = kind


@compiled
def add_points(pooled, places, labels, log_room, log_rate, tops, worth, points):
    """Add to `points`, for every example, those of each of several pairs of subsets of the models.

    Parameters
    ----------
    pooled, places : as those of `all_epsilons`
    labels : uint8 [subsets, values]
        Of each place: 1 for a retrained model, 2 for an unlearned one, 0 for none; equally many of both.
    log_room, log_rate : as those of `all_epsilons`, of the models of a subset
    tops : float32 [buckets]
        Largest epsilon of each bucket.
    worth : float64 [buckets]
        Its points.
    points : float64 [examples], output
    """
    size = 2 * (log_room.size - 1)
    values = np.empty(size + 1)
    first, second = np.zeros(size + 2, dtype=np.int64), np.zeros(size + 2, dtype=np.int64)
    tables = (log_room, log_rate, tops)
    for example in range(len(pooled)):
        for subset in range(len(labels)):
            _select(pooled[example], places[example], labels[subset], values, first, second)
            best, kind = _best(values[:size], first[: size + 1], second[: size + 1], tables)
            if kind == FINITE and best < _NO_MORE:
                points[example] += worth[int(best / _BUCKET)]
