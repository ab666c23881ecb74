"""The section ``efficiency``: what a method may cost."""

from typing import Literal

from pydantic import Field

from unlearning_metric.config.values import Number, Section, Truth


class Efficiency(Section):
    """What a method may cost."""

    limit: Number = Field(0.2, gt=0, description="Largest accepted cost of a method, as a share of that of retraining.")
    measure: Literal["seconds", "passes"] = Field(
        "seconds",
        description="What the limit is on: seconds of the CPU or GPU, or passes, which are examples read.",
    )
    exclude: Truth = Field(False, description="Whether methods over the limit lose their rank on the leaderboard.")
