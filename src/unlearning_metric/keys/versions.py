"""Versions of the steps: what the package itself puts into the keys of results.

A version stands for the numbers that a step makes, not for its code. Whoever changes a number that a step makes raises
its version, in this table and with a line on what changed, and everybody's results of that step are made anew, and what
lies behind them. Whoever changes anything else leaves it alone, and nobody loses a model. ``tests/pins`` holds a step
to the numbers of its version.
"""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """The numbers of a step: ``number`` counts up, ``change`` says what moved when it was last raised."""

    number: int
    change: str


#: Step -> version. A rule has the step of the same name; `train_full` and `train_retain` have ``train``.
VERSIONS: dict[str, Version] = {
    "prepare_data": Version(1, "the first"),
    "difficulty": Version(2, "as that of train"),
    "split_data": Version(1, "the first"),
    "train": Version(2, "a one_cycle without warmup begins at the peak"),
    "import_original": Version(1, "the first"),
    "unlearn": Version(2, "weights are contiguous: noise that a method draws in their shape falls on others of them"),
    "tune": Version(1, "the first"),
    "check": Version(2, "as that of unlearn"),
    "dump_losses": Version(1, "the first"),
    "import_dump": Version(1, "the first"),
    "score": Version(5, "the ceiling's correction goes by the shape of the retrained models' law as well"),
    "leaderboard": Version(2, "all pairs are compared, with Holm's correction"),
    "report": Version(3, "a page that answers: any example attacked, examples filtered, two methods compared"),
}
