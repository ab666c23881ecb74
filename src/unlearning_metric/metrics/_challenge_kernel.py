"""Compiled search for the largest epsilon over the challenge's threshold grid.

The published code ([C] google-deepmind/unlearning_evaluation, ``metric.py``) builds a mask of all models for
each of about 160,000 intervals. Here both sides come sorted and a threshold is counted with a pointer that
walks along them, which yields the same integers. Everything that is rounded (grids, rates, logarithms) is
rounded as there: no ``fastmath``, and the logarithms are looked up in float32 tables that numpy made.
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
_NOTHING_YET = np.float32(-1.0)
_ZERO = np.float32(0.0)


@compiled
def _larger(best, fp, fn, log_room, log_rate):
    """The larger of `best` and the epsilon of one threshold with `fp` and `fn` errors, both at least 1."""
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
def _best_single(best, positive, negative, log_room, log_rate):
    """Largest epsilon over the rules "positive iff confidence >= threshold", and whether one separates."""
    n = positive.size
    minimum = min(positive[0], negative[0])
    maximum = max(positive[n - 1], negative[n - 1])
    count = math.ceil((maximum - minimum) * _PER_UNIT)
    low, high = np.float32(minimum), np.float32(maximum)
    step = np.float32((high - low) / np.float32(count - 1)) if count > 1 else _ZERO
    fn = 0
    negative_below = 0
    for index in range(count):
        # One point is the lower end, although the general formula would give the upper one.
        threshold = low if count == 1 else single_threshold(low, high, step, count, index)
        # Where the two halves of the grid meet, float32 rounding may take a step back: walk both ways.
        while fn < n and positive[fn] < threshold:
            fn += 1
        while fn > 0 and positive[fn - 1] >= threshold:
            fn -= 1
        while negative_below < n and negative[negative_below] < threshold:
            negative_below += 1
        while negative_below > 0 and negative[negative_below - 1] >= threshold:
            negative_below -= 1
        fp = n - negative_below
        if fp == 0 and fn == 0:
            return best, True
        if fp > 0 and fn > 0:
            best = _larger(best, fp, fn, log_room, log_rate)
    return best, False


@compiled
def _bound(narrow, wide, narrow_to_right, wide_to_right, narrow_below, wide_below, last_left, log_room, log_rate):
    """Largest epsilon over the intervals with one right end and any left end up to `last_left`, on the grid or not.

    The first left end has `narrow_below` and `wide_below` values below it. Infinite where an interval separates.
    """
    n = narrow.size
    best = _NOTHING_YET
    while True:
        fp = max(wide_to_right - wide_below, 0)
        fn = n - max(narrow_to_right - narrow_below, 0)
        if fp == 0:
            # A shorter interval keeps fp at 0 and cannot lower fn.
            return np.float32(np.inf) if fn == 0 else best
        if fn > 0:
            best = _larger(best, fp, fn, log_room, log_rate)
        passed = np.inf
        if narrow_below < n:
            passed = narrow[narrow_below]
        if wide_below < n:
            passed = min(passed, wide[wide_below])
        if passed >= last_left:
            return best
        while narrow_below < n and narrow[narrow_below] == passed:
            narrow_below += 1
        while wide_below < n and wide[wide_below] == passed:
            wide_below += 1


@compiled
def _scan_row(best, narrow, wide, narrow_to_right, wide_to_right, narrow_below, wide_below, first_left, last_left,
              log_room, log_rate):  # fmt: skip
    """Largest epsilon over the grid's left ends of one right end, and whether one separates."""
    n = narrow.size
    left_step = (last_left - first_left) / (_LEFT_POINTS - 1)
    last_fp = last_fn = -1
    for column in range(_LEFT_POINTS):
        left = last_left if column == _LEFT_POINTS - 1 else column * left_step + first_left
        while narrow_below < n and narrow[narrow_below] < left:
            narrow_below += 1
        while wide_below < n and wide[wide_below] < left:
            wide_below += 1
        # Empty where left > right, which the grid contains when the width is below 2.
        fp = max(wide_to_right - wide_below, 0)
        fn = n - max(narrow_to_right - narrow_below, 0)
        if fp == last_fp and fn == last_fn:
            # No value between this left end and the one before: the same rule.
            continue
        last_fp, last_fn = fp, fn
        if fp == 0:
            if fn == 0:
                return best, True
            # A shorter interval keeps fp at 0 and cannot lower fn: the rest of the row is discarded.
            break
        if fn > 0:
            best = _larger(best, fp, fn, log_room, log_rate)
    return best, False


@compiled
def _best_interval(best, narrow, wide, width, log_room, log_rate):
    """Largest epsilon over the rules "narrow iff left <= confidence <= right", and whether one separates.

    Right ends without a value between them have the same models to their left, so one bound over all left ends holds
    for all of them: most of the grid cannot beat what was found already and is never looked at.
    """
    n = narrow.size
    first_right = narrow[0] + width - _BUFFER
    last_right = narrow[n - 1] + _BUFFER
    count = math.ceil((last_right - first_right) * _PER_UNIT)
    right_step = (last_right - first_right) / (count - 1)
    narrow_to_right = wide_to_right = 0  # values <= right
    narrow_below = wide_below = 0  # values < the first left end of this row
    row = 0
    while row < count:
        right = last_right if row == count - 1 else row * right_step + first_right
        while narrow_to_right < n and narrow[narrow_to_right] <= right:
            narrow_to_right += 1
        while wide_to_right < n and wide[wide_to_right] <= right:
            wide_to_right += 1
        following = np.inf
        if narrow_to_right < n:
            following = narrow[narrow_to_right]
        if wide_to_right < n:
            following = min(following, wide[wide_to_right])
        first_left = right - width - _BUFFER
        while narrow_below < n and narrow[narrow_below] < first_left:
            narrow_below += 1
        while wide_below < n and wide[wide_below] < first_left:
            wide_below += 1

        end = row
        while right < following and end < count:
            last_left = right - width + _BUFFER
            end += 1
            right = last_right if end == count - 1 else end * right_step + first_right
        bound = _bound(
            narrow, wide, narrow_to_right, wide_to_right, narrow_below, wide_below, last_left, log_room, log_rate
        )
        while row < end and bound > best:
            right = last_right if row == count - 1 else row * right_step + first_right
            best, separable = _scan_row(
                best, narrow, wide, narrow_to_right, wide_to_right, narrow_below, wide_below,
                right - width - _BUFFER, right - width + _BUFFER, log_room, log_rate,
            )  # fmt: skip
            if separable:
                return best, True
            row += 1
        row = end
    return best, False


@compiled
def grid_epsilons(retrained, unlearned, retrained_is_positive, log_room, log_rate, cap, epsilons, kinds):
    """Fill `epsilons` and `kinds` for every example.

    Parameters
    ----------
    retrained, unlearned : float64 [examples, models], C-contiguous, each row ascending
    retrained_is_positive : bool [examples]
        Whether the retrained side has the larger median.
    log_room, log_rate : float32 [models + 1]
        ``ln(1 - delta - k / models)`` and ``ln(k / models)`` for k errors.
    cap : float
        Epsilon of a peaky or separable example.
    epsilons : float64 [examples]
        Output.
    kinds : int8 [examples]
        Output: FINITE, PEAKY, INFINITE or UNDEFINED.
    """
    examples, n = retrained.shape
    for example in range(examples):
        if retrained_is_positive[example]:
            positive, negative = retrained[example], unlearned[example]
        else:
            positive, negative = unlearned[example], retrained[example]
        positive_range = positive[n - 1] - positive[0]
        negative_range = negative[n - 1] - negative[0]
        smaller, larger = min(positive_range, negative_range), max(positive_range, negative_range)
        # 0 / 0 is NaN in [C], which is not below the ratio: two constant sides are not peaky.
        if larger > 0.0 and smaller / larger < _PEAKY_RATIO:
            epsilons[example] = cap
            kinds[example] = PEAKY
            continue

        best, separable = _best_single(_NOTHING_YET, positive, negative, log_room, log_rate)
        if not separable:
            if positive_range >= negative_range:
                narrow, wide = negative, positive
            else:
                narrow, wide = positive, negative
            best, separable = _best_interval(best, narrow, wide, smaller, log_room, log_rate)

        if separable:
            epsilons[example] = cap
            kinds[example] = INFINITE
        elif best < _ZERO:
            epsilons[example] = np.nan
            kinds[example] = UNDEFINED
        else:
            epsilons[example] = min(np.float64(best), cap)
            kinds[example] = FINITE
