"""Outputs of several models on the same examples, as the score sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unlearning_metric.errors import UserError

#: Roles of examples, in the order of a dump's rows.
ROLES = ("forget", "probe", "validation", "test")
#: Sets of examples whose accuracy is kept for each model; retain is all of the retain set.
ACCURACIES = ("retain", "forget", "validation", "test")
#: ln(1e-45), which the published code adds inside its logarithms (google-deepmind/unlearning_evaluation).
SATURATION = 103.6


@dataclass(frozen=True)
class Outputs:
    """What several models say of the examples of one role.

    Attributes
    ----------
    examples, labels : int [examples]
    confidence : float [models, examples]; float64 on forget examples
    loss : the same, or None where nothing asks for it
    correct : bool [models, examples], or None where it is not known
    """

    examples: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray | None
    correct: np.ndarray | None = None

    def of(self, chosen: slice | np.ndarray) -> Outputs:
        """Those of some of the examples."""
        loss, correct = (None if part is None else part[:, chosen] for part in (self.loss, self.correct))
        return Outputs(self.examples[chosen], self.labels[chosen], self.confidence[:, chosen], loss, correct)

    @property
    def saturated(self) -> np.ndarray:
        """Confidence within +-103.6, where the published code's logarithms saturate.

        A model that went far astray without diverging thus counts as a diverged one does.
        """
        return np.clip(self.confidence, -SATURATION, SATURATION)

    @property
    def median_loss(self) -> np.ndarray:
        """Median of the loss over the models [examples]."""
        return np.median(np.asarray(self.loss), axis=0)


@dataclass(frozen=True)
class Ensemble:
    """Outputs of several models on the forget set and beyond, and what is kept for each model.

    Attributes
    ----------
    order : hash of the split's index sets, as the dumps state it
    models : int [models], ascending
    roles : role -> outputs; ``forget`` is always there
    accuracy : set name -> float64 [models]; a set that was not evaluated is absent
    diverged : model indices
    seconds : float64 [models], what making each model took, CPU seconds on a CPU and device seconds on a GPU; empty
        where unknown
    runs : one record a shard of where it was made
    duplicates : forget examples that equal a retain example in every value; None where it is not known
    passes : ``retain``, ``forget`` and ``validation`` -> float64 [models], examples that making the model read / size
        of the set; empty where it was not counted
    examples : float64 [models], examples that making the model read; empty where unknown
    retraining : ``seconds`` and ``examples`` of a retraining -> float64 [models], as measured where the model was made;
        what is not known is absent
    groups : int64 [forget examples], such as the person each example is of; None where the data have none
    classes : what the data call class 0, 1, ...; empty where it is not known
    data_warnings : what is doubtful about data and forget set, a sentence each. Apart from ``doubts``, since all sides
        of a score have the same ones, which are said once
    doubts : what is odd about outputs that were made elsewhere, a sentence each; of this side alone, which is named
    """

    order: str
    models: np.ndarray
    roles: Mapping[str, Outputs]
    accuracy: Mapping[str, np.ndarray]
    diverged: list[int] = field(default_factory=list)
    seconds: np.ndarray = field(default_factory=lambda: np.empty(0))
    runs: list[dict[str, Any]] = field(default_factory=list)
    passes: Mapping[str, np.ndarray] = field(default_factory=dict)
    examples: np.ndarray = field(default_factory=lambda: np.empty(0))
    retraining: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None
    duplicates: int | None = None
    classes: tuple[str, ...] = ()
    data_warnings: tuple[str, ...] = ()
    doubts: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.models)

    def of_model(self, index: int) -> Ensemble:
        """The ensemble of one of its models alone."""
        chosen = slice(index, index + 1)

        def of_outputs(outputs: Outputs) -> Outputs:
            loss, correct = (None if part is None else part[chosen] for part in (outputs.loss, outputs.correct))
            return replace(outputs, confidence=outputs.confidence[chosen], loss=loss, correct=correct)

        return replace(
            self,
            models=self.models[chosen],
            roles={role: of_outputs(outputs) for role, outputs in self.roles.items()},
            accuracy={name: values[chosen] for name, values in self.accuracy.items()},
            diverged=[number for number in self.diverged if number == index],
            seconds=self.seconds[chosen],
            passes={name: values[chosen] for name, values in self.passes.items()},
            examples=self.examples[chosen],
            retraining={name: values[chosen] for name, values in self.retraining.items()},
        )

    def class_name(self, label: int) -> str:
        """What the data call a class; its number where that is not known."""
        return (self.classes[label] if 0 <= label < len(self.classes) else "") or str(label)

    @property
    def forget(self) -> Outputs:
        """Outputs on the forget set."""
        return self.roles["forget"]


class DivergedError(UserError, RuntimeError):
    """Models diverged, and the configuration says that this stops the run."""


def refuse_diverged(policy: str, group: str, diverged: list[int]) -> None:
    """Raise `DivergedError` if ``policy`` is "fail" and there are diverged models in ``group``."""
    if policy == "fail" and diverged:
        raise DivergedError(
            f"{group}: models {', '.join(map(str, diverged))} have non-finite parameters or outputs, and on_diverged "
            "is fail. Mend the method or the recipe, or set on_diverged: keep, which counts them as wrong everywhere."
        )
