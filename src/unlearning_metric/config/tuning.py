"""The section ``tuning``: the experiment in which hyper-parameters of methods are chosen (``methods.<name>.tune``)."""

from collections.abc import Mapping
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from pydantic import Field

from unlearning_metric.config.forget import BY_DIFFICULTY, Forget
from unlearning_metric.config.forget import RULES as FORGET_RULES
from unlearning_metric.config.values import Rule, Section


class Tuning(Section):
    """The experiment in which hyper-parameters of methods are chosen."""

    copies: int = Field(
        16,
        ge=4,
        multiple_of=2,
        description="Retrained models, and copies of each point of a grid, by which hyper-parameters are chosen.",
    )
    forget: Forget | None = Field(
        None,
        description="The forget set by which hyper-parameters are chosen, of the scored one's retain set; null: chosen "
        "as the scored one.",
    )


def _forget_is_sound(forget: Forget | None) -> str | None:
    """The rules of the section forget, for the one here."""
    if forget is None:
        return None
    held = SimpleNamespace(forget=forget, data=SimpleNamespace(train_size=None))
    found = (rule(*(attrgetter(key)(held) for key in keys)) for keys, rule in FORGET_RULES)
    return next((f"tuning.{problem}" for problem in found if problem), None)


def _forget_sets_differ(methods: Mapping[str, Mapping[str, Any]], tuning: Tuning, forget: Forget) -> str | None:
    tuned = next((name for name, entry in methods.items() if "tune" in entry), None)
    if tuned is None:
        return None
    if tuning.forget is None and (forget.strategy in ("class", "indices") or forget.groups is not None):
        return (
            f"tuning.forget: missing. methods.{tuned}.tune is chosen on a forget set of its own, and the section "
            "forget names its examples, so it would give none but the scored ones. Set tuning: {forget: ...} to "
            "another class, group, list or strategy."
        )
    wanted = tuning.forget
    if wanted is not None and wanted.strategy in BY_DIFFICULTY and forget.strategy not in BY_DIFFICULTY:
        return (
            f"tuning.forget.strategy: {wanted.strategy} asks how hard each example is, which is measured only where "
            "forget.strategy asks so too. Set another one."
        )
    return None


RULES: tuple[Rule, ...] = (
    (("tuning.forget",), _forget_is_sound),
    (("methods", "tuning", "forget"), _forget_sets_differ),
)
