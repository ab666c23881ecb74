"""Whether arrays of outputs made elsewhere are what their names say: scale, truth values, contradictions. No torch.

What cannot be right is a ValueError; what may be right, but rarely is, comes back as a doubt, a sentence that stands
among the warnings of a score.
"""

from __future__ import annotations

import math

import numpy as np

from unlearning_metric.outputs.ensemble import Outputs

#: Row sums of probabilities lie this near to 1, after rounding to two decimals as well.
SUM_TOLERANCE = 0.02
#: The same of probabilities that a logarithm was taken of.
LOGARITHM_TOLERANCE = 0.002
#: Fewer values than this lie in any range by chance.
FEW = 10
#: Share of the values that lie close to a bound that none passes, where that bound is no accident.
CROWDED = 0.1
#: A right answer has a probability of at least 1 / classes, and no classifier has more classes than this.
MOST_CLASSES = 10_000_000
#: Confidence that an evaluation in another precision may move.
ROUNDING = 0.1
#: Share of contradictions beyond which two arrays are not of the same models.
CONTRADICTING = 0.01
#: What numpy fills in for a masked float.
MASKED_FLOAT = 1e20

#: Factor that makes ln p of an array -> what the array holds then, and what to do.
_LOGARITHMS = {
    -1.0: ("-ln p, with the sign of a loss", "Change their sign"),
    math.log(2.0): ("logarithms of probabilities to base 2", "Multiply them by ln 2"),
    math.log(10.0): ("logarithms of probabilities to base 10", "Multiply them by ln 10"),
}


def refuse_masked(values: np.ndarray, name: str) -> None:
    """Raise ValueError where an array holds what numpy fills in for masked values."""
    if values.dtype.kind == "f" and np.isclose(values.astype(np.float64), MASKED_FLOAT, rtol=1e-6, atol=0.0).any():
        raise ValueError(
            f"{name} holds {MASKED_FLOAT:g}, which numpy fills in for masked values: leave out the models or "
            "examples that are not known"
        )


def whole_number_doubts(values: np.ndarray, name: str) -> list[str]:
    """Whether all values are whole numbers, as predicted classes are."""
    if values.size >= FEW and values.max() > values.min() and (values == np.rint(values)).all():
        return [f"{name}: all values are whole numbers, as predicted classes are"]
    return []


def logits_doubts(logits: np.ndarray, name: str) -> list[str]:
    """What is odd about the scale of logits [models, examples, classes].

    Raises
    ------
    ValueError
        If a model's are probabilities (or per cent), or their logarithms to another base or with the other sign.
        Natural logarithms of probabilities are logits.
    """
    models, examples, classes = logits.shape
    found: dict[tuple[str, str], list[int]] = {}
    bounded = []
    for model, given in enumerate(logits):
        values = given.astype(np.float64)
        if reading := _reading_as_probabilities(values):
            found.setdefault(reading, []).append(model)
        elif values.min() >= 0.0 and values.max() <= 1.0 and np.ptp(values) > 0.0:
            bounded.append(model)
    for (what, advice), members in found.items():
        # In one example of one model it may be chance.
        if examples > 1 or len(members) == models:
            raise ValueError(f"{name} of {_models(members, models)} are {what}, no logits. {advice}")
    if bounded and (len(bounded) == models or examples * classes >= 5 * FEW):
        return [
            f"{name} of {_models(bounded, models)} all lie within 0..1, as probabilities of a sigmoid do; they are "
            "read as logits"
        ]
    return []


def _reading_as_probabilities(values: np.ndarray) -> tuple[str, str] | None:
    """What logits [examples, classes] are instead, and what to do; None where they may be logits."""
    if values.min() >= 0.0:
        sums = values.sum(axis=1)
        for whole, what, share in ((1.0, "probabilities that sum to 1", "p"), (100.0, "per cent", "p / 100")):
            if (np.abs(sums - whole) <= SUM_TOLERANCE * whole).all():
                return what, f"Pass numpy.log({share}), or what the models say before the softmax"
    for factor, reading in _LOGARITHMS.items():
        if (values * factor).max() <= LOGARITHM_TOLERANCE and (
            np.abs(np.exp(values * factor).sum(axis=1) - 1.0) <= LOGARITHM_TOLERANCE
        ).all():
            return reading
    return None


def _models(members: list[int], models: int) -> str:
    if len(members) == models:
        return "all models"
    return f"model {members[0]}" + (f" and {len(members) - 1} more" if len(members) > 1 else "")


def confidence_doubts(values: np.ndarray, name: str) -> list[str]:
    """What is odd about the scale of confidences [models, examples].

    Raises
    ------
    ValueError
        If all of them lie within 0..1, as probabilities do.
    """
    if np.ptp(values) == 0.0:
        return []
    if values.min() >= 0.0 and values.max() <= 1.0:
        problem = f"{name}: all values lie within 0..1, as probabilities do"
        if values.size >= FEW:
            raise ValueError(
                f"{problem}. Pass ln(p / (1 - p)), p that of the true class. Should they be that already, pass "
                "loss = numpy.logaddexp(0, -confidence) in their place, which says the same"
            )
        return [f"{problem}; they are read as ln(p / (1 - p))"]
    if values.size < 2 * FEW:
        return []
    doubts = []
    if _crowds(values, 0.0, -0.1):
        doubts.append(f"{name}: many values lie just below 0 and none above, as those of ln p do")
    if _crowds(values, 0.0, 0.1):
        doubts.append(f"{name}: many values lie just above 0 and none below, as losses do")
    if _crowds(values, 100.0, 90.0) and values.min() >= 0.0:
        doubts.append(f"{name}: all values lie within 0..100 and many near 100, as per cent do")
    if doubts:
        return [f"{doubts[0]}; they are read as ln(p / (1 - p)), p that of the true class"]
    bounded = np.flatnonzero((values.min(axis=1) >= 0.0) & (values.max(axis=1) <= 1.0) & (np.ptp(values, axis=1) > 0.0))
    if len(bounded) and values.shape[1] >= 2 * FEW:
        return [
            f"{name}: all values of {_models(bounded.tolist(), len(values))} lie within 0..1, as probabilities do; "
            "they are read as ln(p / (1 - p))"
        ]
    return []


def loss_doubts(values: np.ndarray, name: str) -> list[str]:
    """What is odd about the scale of losses [models, examples], which are at least 0."""
    if values.size >= 2 * FEW and _crowds(values, 1.0, 0.9) and np.ptp(values) > 0.0:
        return [f"{name}: many values lie just below 1 and none above, as probabilities do; they are read as losses"]
    return []


def _crowds(values: np.ndarray, bound: float, inner: float) -> bool:
    """Whether many values lie between ``inner`` and a bound, and none beyond it."""
    beyond = (values - bound) * np.sign(bound - inner)
    return bool(beyond.max() <= 0.0 and (beyond >= -abs(bound - inner)).mean() >= CROWDED)


def truth_values(values: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Truth values of a shape, as bool; integers count where each is 0 or 1.

    Raises
    ------
    ValueError
        If they are none, as predicted classes are.
    """
    if values.shape != shape or values.dtype.kind not in "bui":
        raise ValueError(f"{name} is {values.dtype} {list(values.shape)}: needed are truth values {list(shape)}")
    other = values[(values != 0) & (values != 1)]
    if other.size:
        raise ValueError(
            f"{name} holds {other[0]}: needed are truth values, whether each model is right. If these are predicted "
            "classes, pass predictions == labels"
        )
    return values.astype(bool)


def correct_doubts(correct: np.ndarray, name: str, confidence: np.ndarray, margin: np.ndarray | None) -> list[str]:
    """Where ``correct`` contradicts what says how sure the models are.

    Parameters
    ----------
    correct : bool [models, examples]
    confidence : float [models, examples]; above 0 the true class has more than half of the probability
    margin : float [models, examples], the true class's logit less the largest other; None without logits

    Raises
    ------
    ValueError
        If more than 1 % of the values do.
    """
    if margin is None:
        wrong = np.where(correct, confidence < -math.log(MOST_CLASSES) - ROUNDING, confidence > ROUNDING)
        said = "the confidence or loss"
    else:
        wrong = np.where(correct, margin < 0.0, margin > 0.0) & (np.abs(margin) > ROUNDING)
        said = "the logits"
    if not wrong.any():
        return []
    model, example = np.argwhere(wrong)[0]
    problem = (
        f"{name} contradicts {said} in {int(wrong.sum())} of {wrong.size} values, first that of model {model}, example "
        f"{example}"
    )
    if wrong.mean() > CONTRADICTING:
        raise ValueError(
            f"{problem}, which is {'right' if correct[model, example] else 'wrong'} and has the confidence "
            f"{confidence[model, example]:.4g}. Record both in one evaluation, on the same examples in the same order"
        )
    return [problem]


def accuracy_doubts(name: str, given: np.ndarray, recorded: Outputs, all_examples: bool) -> list[str]:
    """Whether an accuracy is that of the outputs recorded beside it.

    Parameters
    ----------
    given : float [models]
    recorded : outputs on the same set, or on a sample of it
    all_examples : whether the outputs are those of the whole set
    """
    correct, confidence = recorded.correct, recorded.confidence
    # Of a sample, three standard errors of a share more.
    tolerance = 0.01 if all_examples else 0.01 + 1.5 / math.sqrt(confidence.shape[1])
    stated = float(given.mean())
    if correct is not None:
        counted = float(correct.mean())
        if abs(stated - counted) > tolerance:
            return [f"{name} is {stated:.4g}, and of the outputs recorded beside it {counted:.4g} are right"]
        return []
    least = float((confidence > ROUNDING).mean())
    if stated < least - tolerance:
        return [f"{name} is {stated:.4g}, and {least:.4g} of the outputs recorded beside it are surely right"]
    return []
