"""Compiled search for the interval of values that tells two samples apart best, in time linear in their sizes.

Values are merged into groups of equal ones with prefix counts, so an interval is a pair of group borders. With a
positives and b negatives inside, of n and m, the two candidates for epsilon are logarithms of

    (a - n delta) / b * m / n      and      (m - m delta - b) / (n - a) * n / m.

The largest of such a ratio is found by Dinkelbach's method: for a ratio q that is reached already, one pass maximises
numerator - q * denominator over all intervals (a sum over the interval, so a running minimum of prefixes does), and
either nothing is above zero and q is the maximum, or the maximiser has a larger ratio. The published condition that a
rule with exactly one kind of error is discarded bounds how near the left border may come, which only grows with the
right one. A threshold is an interval that ends at an outermost group.
"""

from __future__ import annotations

import numpy as np

from unlearning_metric.metrics._compiled import compiled

# Ratios of counts up to 2^20 differ by more than this once multiplied out.
_NOTHING = 1e-9


@compiled
def _groups(x, y, ends, below_x, below_y):
    """Fill the groups of equal values of two ascending arrays: their value, and the counts up to and with each.

    Returns the number of groups; entry 0 of the counts is 0, entry g counts the first g groups.
    """
    i = j = groups = 0
    below_x[0] = below_y[0] = 0
    while i < x.size or j < y.size:
        value = x[i] if j == y.size or (i < x.size and x[i] <= y[j]) else y[j]
        while i < x.size and x[i] == value:
            i += 1
        while j < y.size and y[j] == value:
            j += 1
        ends[groups] = value
        groups += 1
        below_x[groups], below_y[groups] = i, j
    return groups


@compiled
def _pass(groups, below_a, below_b, weight_a, weight_b):
    """Borders (l, r) of the groups l .. r - 1 with the largest weight_a * a - weight_b * b, and that value.

    Only with at least one b and one a left outside. (-1, -1) if there is none.
    """
    n = below_a[groups]
    best, best_left, best_right = -np.inf, -1, -1
    # Smallest prefix so far: of any left border, and of those with an a before them.
    least, least_at = np.inf, -1
    least_inner, least_inner_at = np.inf, -1
    left = 0
    for right in range(1, groups + 1):
        while left < right and below_b[left] < below_b[right]:
            prefix = weight_a * below_a[left] - weight_b * below_b[left]
            if prefix < least:
                least, least_at = prefix, left
            if below_a[left] >= 1 and prefix < least_inner:
                least_inner, least_inner_at = prefix, left
            left += 1
        here = weight_a * below_a[right] - weight_b * below_b[right]
        if below_a[right] < n:
            if least_at >= 0 and here - least > best:
                best, best_left, best_right = here - least, least_at, right
        elif least_inner_at >= 0 and here - least_inner > best:
            best, best_left, best_right = here - least_inner, least_inner_at, right
    return best, best_left, best_right


@compiled
def _separates(groups, below_a, below_b):
    """Borders of an interval with every a and no b, or (-1, -1)."""
    n = below_a[groups]
    first = 0
    while below_a[first + 1] == 0:
        first += 1
    last = groups
    while below_a[last - 1] == n:
        last -= 1
    if below_b[last] - below_b[first] == 0:
        return first, last
    return -1, -1


@compiled
def best_interval(x, y, rich, delta, ends, below_x, below_y):
    """The interval, and whether x (1) or y (0) is guessed inside, with the largest epsilon.

    Two ratios make a rule's epsilon: of the two samples' shares where x is guessed, and where y is.

    Parameters
    ----------
    x, y : float64, ascending
    rich : 1 to maximise the first, 0 the second
    delta : float
    ends, below_x, below_y : scratch of at least ``x.size + y.size + 1`` entries; float64, int64, int64

    Returns
    -------
    ratio : exp(epsilon), infinite where the sides are separable, -1 where no rule has both kinds of error
    low, high : guess inside iff ``low < value <= high``; infinite at the outermost groups
    inside : 1 for x, 0 for y
    groups : of the scratch
    p, q : how many x, and y, lie where x is guessed; -1 where there is no rule
    """
    groups = _groups(x, y, ends, below_x, below_y)
    ratio, left, right, inside = -1.0, -1, -1, 1
    for side in range(2):
        below_a, below_b = (below_x, below_y) if side == 0 else (below_y, below_x)
        first, last = _separates(groups, below_a, below_b)
        if first >= 0:
            ratio, left, right, inside = np.inf, first, last, 1 - side
            break
        n, m = float(below_a[groups]), float(below_b[groups])
        # Where the sample guessed inside is the rich one the ratio is that of the inside, else that of the outside.
        within = rich == 1 - side
        scale = m / n if within else n / m
        while True:
            # A ratio of at least 0 is sought first of all: below it epsilon is 0 whatever the rule.
            q = max(ratio, 0.0) / scale
            if within:
                value, start, end = _pass(groups, below_a, below_b, 1.0, q)
                value -= n * delta
            else:
                value, start, end = _pass(groups, below_a, below_b, q, 1.0)
                value += m - m * delta - q * n
            if start < 0:
                break
            a, b = float(below_a[end] - below_a[start]), float(below_b[end] - below_b[start])
            found = (a - n * delta) / b if within else (m - m * delta - b) / (n - a)
            found = max(found, 0.0) * scale
            if ratio >= 0.0 and (value <= _NOTHING or found <= ratio):
                break
            ratio, left, right, inside = found, start, end, 1 - side
    if left < 0:
        return ratio, -np.inf, np.inf, inside, groups, -1, -1
    low, high = _ends(left, right, groups, ends)
    p, q = below_x[right] - below_x[left], below_y[right] - below_y[left]
    if inside == 0:
        p, q = below_x[groups] - p, below_y[groups] - q
    return ratio, low, high, inside, groups, p, q


@compiled
def _ends(left, right, groups, ends):
    """Ends of the interval of the groups left .. right - 1: between neighbours, infinite at the outermost groups."""
    low = -np.inf if left == 0 else 0.5 * (ends[left - 1] + ends[left])
    high = np.inf if right == groups else 0.5 * (ends[right - 1] + ends[right])
    # Neighbouring floats have no midpoint: keep the group on its own side.
    if low == ends[max(left, 0)]:
        low = ends[left - 1]
    if high < np.inf and high == ends[right]:
        high = ends[right - 1]
    return low, high


@compiled
def _held_out_errors(low, high, inside, x, y):
    """Values of y that are guessed x, and of x that are guessed y; both ascending."""
    x_inside = np.searchsorted(x, high, side="right") - np.searchsorted(x, low, side="right")
    y_inside = np.searchsorted(y, high, side="right") - np.searchsorted(y, low, side="right")
    if inside == 1:
        return y_inside, x.size - x_inside
    return y.size - y_inside, x_inside


@compiled
def _tied_errors(p, q, groups, ends, below_x, below_y, x, y):
    """Mean held-out errors of all rules with p of x and q of y where x is guessed, and how many rules that are.

    These are the rules that the choosing models cannot tell apart. For each right border there is one left border at
    most, since the number of values up to a border only grows. A threshold is an interval of either side; it counts
    once.
    """
    first = second = 0.0
    rules = 0
    for inside in (1, 0):
        a = p if inside == 1 else below_x[groups] - p
        b = q if inside == 1 else below_y[groups] - q
        left = 0
        for right in range(1, groups + 1):
            while left < right and below_x[right] - below_x[left] + below_y[right] - below_y[left] > a + b:
                left += 1
            if left == right or below_x[right] - below_x[left] != a or below_y[right] - below_y[left] != b:
                continue
            if inside == 0 and (left == 0 or right == groups):
                continue
            low, high = _ends(left, right, groups, ends)
            fp, fn = _held_out_errors(low, high, inside, x, y)
            first, second, rules = first + fp, second + fn, rules + 1
    return first / rules, second / rules


@compiled
def cross_fit(retrained, unlearned, folds, delta, errors, merits, rules):
    """Count each example's errors on held-out models, and fit its rules to all models.

    Parameters
    ----------
    retrained, unlearned : float64 [examples, models], each row ascending; and int64 of the same shape
        Values, and the model of each; fold ``model % folds``.
    folds : int
    delta : float
    errors : float64 [2, 2, examples], output
        For each `rich` side (retrained 0, unlearned 1): retrained models guessed unlearned, and the reverse; means over
        the rules that the choosing models cannot tell apart.
    merits : float64 [2, examples], output
        Mean over folds of the ratio on the models that chose the rule, cut at 1e9.
    rules : float64 [2, examples, 4], output
        Of all models: ratio, low, high, whether unlearned is guessed inside.
    """
    r_values, r_models = retrained
    u_values, u_models = unlearned
    examples, n = r_values.shape
    m = u_values.shape[1]
    x, y = np.empty(m), np.empty(n)
    held_x, held_y = np.empty(m), np.empty(n)
    ends = np.empty(n + m + 1)
    below_x, below_y = np.empty(n + m + 1, dtype=np.int64), np.empty(n + m + 1, dtype=np.int64)
    errors[:] = 0
    merits[:] = 0.0
    for example in range(examples):
        r, u = r_values[example], u_values[example]
        for fold in range(folds):
            i = j = 0
            for place in range(m):
                if u_models[example, place] % folds != fold:
                    x[i] = u[place]
                    i += 1
                else:
                    held_x[place - i] = u[place]
            for place in range(n):
                if r_models[example, place] % folds != fold:
                    y[j] = r[place]
                    j += 1
                else:
                    held_y[place - j] = r[place]
            for rich in range(2):
                ratio, low, high, inside, groups, p, q = best_interval(
                    x[:i], y[:j], rich, delta, ends, below_x, below_y
                )
                merits[rich, example] += min(ratio, 1e9) / folds
                if p < 0:
                    fp, fn = _held_out_errors(low, high, inside, held_x[: m - i], held_y[: n - j])
                    errors[rich, 0, example] += fp
                    errors[rich, 1, example] += fn
                    continue
                mean_fp, mean_fn = _tied_errors(p, q, groups, ends, below_x, below_y, held_x[: m - i], held_y[: n - j])
                errors[rich, 0, example] += mean_fp
                errors[rich, 1, example] += mean_fn
        for rich in range(2):
            ratio, low, high, inside, _, _, _ = best_interval(u, r, rich, delta, ends, below_x, below_y)
            rules[rich, example, 0], rules[rich, example, 1] = ratio, low
            rules[rich, example, 2], rules[rich, example, 3] = high, inside
