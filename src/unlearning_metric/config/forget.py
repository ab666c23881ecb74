"""The section ``forget``: which training examples are to be forgotten."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from unlearning_metric.config.text import shown
from unlearning_metric.config.values import Label, PathText, PositiveInt, Rule, Section, Share, Truth
from unlearning_metric.strategies import STRATEGIES

FORGET_STRATEGIES = tuple(STRATEGIES)
# The records say which there are.
ForgetStrategy = Literal[FORGET_STRATEGIES]  # type: ignore[valid-type]
#: Strategies that ask how hard each example is for models that did not train on it.
BY_DIFFICULTY = tuple(name for name, record in STRATEGIES.items() if record.by_difficulty)
#: How the name of a file of indices may end.
INDEX_FILES = (".npy", ".npz", ".csv", ".txt")


class Forget(Section):
    """Which training examples are to be forgotten."""

    strategy: ForgetStrategy = Field(
        description="How the forget set is chosen: random examples; all of a class, or a part of some; whole groups; a "
        "list in a file; examples by how hard they are for models that did not train on them."
    )
    count: PositiveInt | None = Field(None, description="Size of the forget set in examples, or groups for groups.")
    fraction: Share | None = Field(
        None,
        description="The same as a share of the training set, of the classes for subclass, of the groups for groups.",
    )
    stratified: Truth = Field(False, description="For random: the same share of every class.")
    label: Label | None = Field(None, description="Class to forget, by name or label; for class.")
    labels: list[Label] | None = Field(
        None, min_length=1, description="Classes to forget a part of, by name or label; for subclass."
    )
    groups: list[int] | None = Field(None, min_length=1, description="Groups to forget; for groups.")
    order: Literal["random", "sorted"] = Field(
        "random", description="For groups with count or fraction: random groups, or the first in ascending order."
    )
    path: PathText | None = Field(
        None,
        description="File of indices into the training pool (npy, npz, csv, txt); for indices.",
    )
    difficulty_models: int = Field(
        16, ge=2, description=f"For {', '.join(BY_DIFFICULTY)}: models trained on random halves; an even number."
    )


def _forget_keys_fit_strategy(forget: Forget) -> str | None:
    strategy = forget.strategy
    defaults = {name: field.default for name, field in Forget.model_fields.items() if name != "strategy"}
    given = {name: value for name in defaults if (value := getattr(forget, name)) != defaults[name]}
    record = STRATEGIES[strategy]
    one_of, needed, possible = record.one_of, record.needs, record.may
    chosen = [name for name in one_of if name in given]
    fits = given.keys() <= {*one_of, *needed, *possible} and given.keys() >= set(needed)
    if fits and len(chosen) == (1 if one_of else 0):
        return None
    parts = [*needed, *([f"exactly one of {', '.join(one_of)}"] if one_of else [])]
    may = f", and may have {', '.join(possible)}" if possible else ""
    written = ", ".join(f"{name}: {shown(value)}" for name, value in given.items()) or "none of its keys"
    return f"forget: strategy {strategy} needs {' and '.join(parts)}{may}, and nothing else; given: {written}."


def _groups_have_one_choice(groups: list[int] | None, order: str) -> str | None:
    if groups is not None and order == "sorted":
        return "forget.order: sorted is for count or fraction; forget.groups names the groups. Remove one of the two."
    return None


def _difficulty_models_pair_up(models: int) -> str | None:
    if models % 2:
        return (
            f"forget.difficulty_models: {models} is odd; the models train in pairs on the two halves of the training "
            f"set. Set {models - 1} or {models + 1}."
        )
    return None


def _indices_have_a_known_form(path: str | None) -> str | None:
    if path is not None and Path(path).suffix.lower() not in INDEX_FILES:
        return f"forget.path: {shown(path)} is not allowed. Expected a file that ends in {', '.join(INDEX_FILES)}."
    return None


def _forget_leaves_retain(strategy: str, count: int | None, train_size: int | None) -> str | None:
    if not STRATEGIES[strategy].of_examples or count is None or train_size is None or count < train_size:
        return None
    return (
        f"forget.count: {count} is a forget set as large as the training set (data.train_size is {train_size}), so "
        f"nothing is left to retain. Expected at most {train_size - 1}."
    )


RULES: tuple[Rule, ...] = (
    (("forget",), _forget_keys_fit_strategy),
    (("forget.groups", "forget.order"), _groups_have_one_choice),
    (("forget.difficulty_models",), _difficulty_models_pair_up),
    (("forget.path",), _indices_have_a_known_form),
    (("forget.strategy", "forget.count", "data.train_size"), _forget_leaves_retain),
)
