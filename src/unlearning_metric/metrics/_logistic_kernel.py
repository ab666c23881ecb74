"""Compiled logistic regressions on one value, step for step as scikit-learn's ``LogisticRegression()`` finds them.

scikit-learn stops L-BFGS well before the optimum, and its guesses depend on where. So the same steps are made here:
L-BFGS with 10 pairs [L], the line search of Moré and Thuente [M], the tests that end either. The steps differ from
scikit-learn's by rounding alone; a guess that hangs on it is reported as doubtful, and scikit-learn is asked.

Sources: [L] Zhu, Byrd, Lu and Nocedal (1997), L-BFGS-B, whose bounds are not needed; [M] Moré and Thuente (1994), with
the published constants of both; scikit-learn ``linear_model/_logistic.py``.
"""

from __future__ import annotations

import math

import numpy as np

from unlearning_metric.metrics._compiled import compiled

_PAIRS = 10
#: After more steps rounding has grown: up to 14 they agreed with scikit-learn's to 1e-10, from 15 on some did not.
_MOST_STEPS = 12
_MOST_EVALUATIONS = 50
_GRADIENT = 1e-4
_DECREASE = 64 * np.finfo(np.float64).eps
_LARGEST_STEP = 1e10
#: Of the line search: sufficient decrease, curvature, width of the bracket.
_SUFFICIENT, _CURVATURE, _BRACKET = 1e-3, 0.9, 0.1
#: A guess is doubtful where slope * value + intercept is below this share of its largest parts in the row.
_DOUBT = 1e-8
# The product of so many numbers of at most 2 is finite.
_FACTORS = 512


@compiled
def _sums(values, first, slope, intercept, sign):
    """Sums of ``ln(1 + exp(t))`` and of its derivatives by slope and intercept, t = sign * (slope x + intercept)."""
    loss, by_slope, by_intercept, product, factors = 0.0, 0.0, 0.0, 1.0, 0
    for place in first:
        x = values[place]
        t = sign * (slope * x + intercept)
        small = math.exp(-abs(t))
        share = (1.0 if t >= 0.0 else small) / (1.0 + small)
        loss += max(t, 0.0)
        by_slope += share * x
        by_intercept += share
        # One logarithm of a product in place of many.
        product *= 1.0 + small
        factors += 1
        if factors == _FACTORS:
            loss += math.log(product)
            product, factors = 1.0, 0
    return loss + math.log(product), sign * by_slope, sign * by_intercept


@compiled
def _evaluate(values, negatives, positives, point):
    """Mean loss with half the squared slope over the number of values, and its gradient."""
    n = negatives.size + positives.size
    loss, slope, intercept = _sums(values, negatives, point[0], point[1], 1.0)
    more = _sums(values, positives, point[0], point[1], -1.0)
    penalty = 1.0 / n
    gradient = np.array([(slope + more[1]) / n + penalty * point[0], (intercept + more[2]) / n])
    return (loss + more[0]) / n + 0.5 * penalty * point[0] ** 2, gradient


@compiled
def _cubic(a, fa, da, b, fb, db):
    """theta and (unsigned) gamma of the cubic through two points, [M]; gamma of 0 where its root is imaginary."""
    theta = 3.0 * (fa - fb) / (b - a) + da + db
    scale = max(abs(theta), abs(da), abs(db))
    return theta, scale * math.sqrt(max(0.0, (theta / scale) ** 2 - (da / scale) * (db / scale)))


@compiled
def _trial(best, other, step, f, d, bracketed, low, high):
    """The next step of the line search, and the new ends of its interval; [M], section 4.

    `best` and `other` are ``(step, value, derivative)``.
    """
    x, fx, dx = best
    y, fy, dy = other
    opposite = d * (dx / abs(dx)) < 0.0
    if f > fx:
        theta, gamma = _cubic(x, fx, dx, step, f, d)
        gamma = -gamma if step < x else gamma
        cubic = x + (gamma - dx + theta) / (gamma - dx + gamma + d) * (step - x)
        quadratic = x + (dx / ((fx - f) / (step - x) + dx)) / 2.0 * (step - x)
        new = cubic if abs(cubic - x) < abs(quadratic - x) else cubic + (quadratic - cubic) / 2.0
        bracketed = True
    elif opposite:
        theta, gamma = _cubic(x, fx, dx, step, f, d)
        gamma = -gamma if step > x else gamma
        cubic = step + (gamma - d + theta) / (gamma - d + gamma + dx) * (x - step)
        secant = step + d / (d - dx) * (x - step)
        new = cubic if abs(cubic - step) > abs(secant - step) else secant
        bracketed = True
    elif abs(d) < abs(dx):
        theta, gamma = _cubic(x, fx, dx, step, f, d)
        gamma = -gamma if step > x else gamma
        ratio = (gamma - d + theta) / (gamma + (dx - d) + gamma)
        far = high if step > x else low
        cubic = step + ratio * (x - step) if ratio < 0.0 and gamma != 0.0 else far
        secant = step + d / (d - dx) * (x - step)
        if bracketed:
            new = cubic if abs(cubic - step) < abs(secant - step) else secant
            limit = step + 0.66 * (y - step)
            new = min(limit, new) if step > x else max(limit, new)
        else:
            new = cubic if abs(cubic - step) > abs(secant - step) else secant
            new = min(max(new, low), high)
    elif bracketed:
        theta, gamma = _cubic(y, fy, dy, step, f, d)
        gamma = -gamma if step > y else gamma
        new = step + (gamma - d + theta) / (gamma - d + gamma + dy) * (y - step)
    else:
        new = high if step > x else low
    if f > fx:
        other = (step, f, d)
    else:
        if opposite:
            other = best
        best = (step, f, d)
    return best, other, new, bracketed


@compiled
def _search(values, negatives, positives, start, f0, direction, slope, step):
    """Step along `direction` that satisfies both conditions [M], with point, value and gradient there; 0 if none."""
    target = _SUFFICIENT * slope
    bracketed, first_stage = False, True
    width, before = _LARGEST_STEP, 2.0 * _LARGEST_STEP
    best = other = (0.0, f0, slope)
    low, high = 0.0, 5.0 * step
    for _ in range(_MOST_EVALUATIONS):
        point = start + direction if step == 1.0 else step * direction + start
        f, gradient = _evaluate(values, negatives, positives, point)
        d = gradient[0] * direction[0] + gradient[1] * direction[1]
        aim = f0 + step * target
        if first_stage and f <= aim and d >= 0.0:
            first_stage = False
        if (
            (bracketed and (step <= low or step >= high or high - low <= _BRACKET * high))
            or (step == _LARGEST_STEP and f <= aim and d <= target)
            or (step == 0.0 and (f > aim or d >= target))
            or (f <= aim and abs(d) <= -_CURVATURE * slope)
        ):
            return step, point, f, gradient, d
        if first_stage and f <= best[1] and f > aim:
            best = (best[0], best[1] - best[0] * target, best[2] - target)
            other = (other[0], other[1] - other[0] * target, other[2] - target)
            best, other, step, bracketed = _trial(
                best, other, step, f - step * target, d - target, bracketed, low, high
            )
            best = (best[0], best[1] + best[0] * target, best[2] + target)
            other = (other[0], other[1] + other[0] * target, other[2] + target)
        else:
            best, other, step, bracketed = _trial(best, other, step, f, d, bracketed, low, high)
        if bracketed:
            if abs(other[0] - best[0]) >= 0.66 * before:
                step = best[0] + 0.5 * (other[0] - best[0])
            before, width = width, abs(other[0] - best[0])
            low, high = min(best[0], other[0]), max(best[0], other[0])
        else:
            low, high = step + 1.1 * (step - best[0]), step + 4.0 * (step - best[0])
        step = min(max(step, 0.0), _LARGEST_STEP)
        if bracketed and (step <= low or step >= high or high - low <= _BRACKET * high):
            step = best[0]
    return 0.0, start, f0, direction, slope


@compiled
def _downhill(gradient, moves, changes, pairs, scale):
    """Minus the inverse Hessian of the last pairs, times the gradient; `scale` is that of its start [L]."""
    direction = -gradient
    weights = np.empty(_PAIRS)
    for pair in range(pairs - 1, -1, -1):
        move, change = moves[pair], changes[pair]
        weights[pair] = (move @ direction) / (move @ change)
        direction = direction - weights[pair] * change
    direction = direction / scale
    for pair in range(pairs):
        move, change = moves[pair], changes[pair]
        direction = direction + (weights[pair] - (change @ direction) / (move @ change)) * move
    return direction


@compiled
def fit(values, negatives, positives):
    """Slope and intercept of the log odds of being positive, and whether the search did not end in a few steps.

    Parameters
    ----------
    values : float64
    negatives, positives : int64, places of either class among `values`
    """
    point = np.zeros(2)
    f, gradient = _evaluate(values, negatives, positives, point)
    moves, changes, pairs, scale = np.empty((_PAIRS, 2)), np.empty((_PAIRS, 2)), 0, 1.0
    if max(abs(gradient[0]), abs(gradient[1])) <= _GRADIENT:
        return 0.0, 0.0, False
    steps = 0
    while steps < _MOST_STEPS:
        direction = _downhill(gradient, moves, changes, pairs, scale)
        slope = gradient @ direction
        first = 1.0 if steps > 0 else min(1.0 / math.sqrt(direction @ direction), _LARGEST_STEP)
        step = 0.0
        if slope < 0.0:
            step, new, new_f, new_gradient, end = _search(
                values, negatives, positives, point, f, direction, slope, first
            )
        if step == 0.0:
            if pairs == 0:
                return point[0], point[1], True
            pairs, scale = 0, 1.0
            continue
        steps += 1
        change, fall = new_gradient - gradient, f - new_f
        largest = max(abs(f), abs(new_f), 1.0)
        point, f, gradient = new, new_f, new_gradient
        if max(abs(gradient[0]), abs(gradient[1])) <= _GRADIENT or fall <= _DECREASE * largest:
            return point[0], point[1], False
        curvature = (end - slope) * step
        if curvature > np.finfo(np.float64).eps * -slope * step:
            if pairs == _PAIRS:
                # Number by number: numba compiles a slice's assignment, with its messages, for seconds.
                for pair in range(1, _PAIRS):
                    for part in range(2):
                        moves[pair - 1, part], changes[pair - 1, part] = moves[pair, part], changes[pair, part]
                pairs -= 1
            for part in range(2):
                moves[pairs, part], changes[pairs, part] = step * direction[part], change[part]
            pairs += 1
            scale = (change @ change) / curvature
    return point[0], point[1], True


@compiled
def held_out_errors(rows, negatives, positives, test_negatives, test_positives, errors, doubtful):
    """Fit each row on some of its values, and count wrong guesses of the others.

    Parameters
    ----------
    rows : float64 [rows, values]
    negatives, positives, test_negatives, test_positives : int64, places in a row
    errors : int64 [rows, 2], output
        Negatives taken for positives, and the reverse.
    doubtful : bool [rows], output
        Whether rounding may have decided a guess.
    """
    for row in range(len(rows)):
        values = rows[row]
        slope, intercept, unsure = fit(values, negatives, positives)
        if unsure:
            doubtful[row] = True
            continue
        largest = 0.0
        for value in values:
            largest = max(largest, abs(value))
        margin = _DOUBT * (abs(slope) * largest + abs(intercept))
        wrong = 0
        for place in test_negatives:
            odds = slope * values[place] + intercept
            wrong += odds > 0.0
            unsure |= abs(odds) < margin
        errors[row, 0] = wrong
        wrong = 0
        for place in test_positives:
            odds = slope * values[place] + intercept
            wrong += odds <= 0.0
            unsure |= abs(odds) < margin
        errors[row, 1] = wrong
        doubtful[row] = unsure
