"""The section ``efficiency``: how long a method may take."""

from pydantic import Field

from unlearning_metric.config.values import Number, Section, Truth


class Efficiency(Section):
    """How long a method may take."""

    limit: Number = Field(
        0.2, gt=0, description="Largest accepted time of a method, as a share of the time of retraining."
    )
    exclude: Truth = Field(False, description="Whether methods over the limit lose their rank on the leaderboard.")
