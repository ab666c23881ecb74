"""How the figures for papers look: their widths, type, colours and legends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from unlearning_metric.errors import plain

#: Told apart by the colour-blind.
SERIES = ("#0173b2", "#d55e00", "#029e73", "#cc78bc", "#949494")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
RETRAINED, UNLEARNED, ACCENT = SERIES[0], SERIES[1], "#8a8a8a"
#: Above this epsilon a picture tells nothing more: an example is then told apart almost without error.
SHOWN_EPSILON = 8.0
EPSILON_STEP = 0.25
#: How many methods, the first of the ranking, a figure of all of them names; more names than this are read by nobody.
NAMED = 40
#: Inches: a paper's column, and its text of two columns.
COLUMN, TEXT = 3.4, 7.0
#: Points: type that is read in print, where the figure stands as wide as it is.
BODY, SMALL = 8, 7
#: Letters of a name in a figure; a longer one is cut.
LETTERS = 24
#: Inches of a line of a legend, and of a row that is named.
LINE, ROW = 0.145, 0.13


@contextmanager
def style() -> Iterator[None]:
    """Draw within it, whatever the user's own settings are."""
    settings = {
        "font.size": BODY, "axes.titlesize": BODY, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL, "legend.frameon": False, "legend.title_fontsize": SMALL,
        "figure.dpi": 200, "figure.constrained_layout.use": True,
        "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42,
    }  # fmt: skip
    with mpl.rc_context():
        # Not the user's matplotlibrc, which may ask for TeX or for pictures beside the page.
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def legend_below(figure: Figure, handles: list[Any], labels: list[str], **look: Any) -> None:
    """A legend in two columns under the axes, in the figure's own width."""
    if labels:
        # A label that begins with an underscore is left out of a legend.
        shown = [f"\u2009{label}" if label.startswith("_") else label for label in labels]
        figure.legend(handles, shown, loc="outside lower left", ncols=2, columnspacing=1.2, labelspacing=0.25, **look)


def named(name: str, letters: int = LETTERS) -> str:
    """A name as a figure shows it: no formula, no control characters, cut where it is longer than `letters`."""
    shown = plain(name)
    cut = shown if len(shown) <= letters else f"{shown[: letters - 1]}\u2026"
    return cut.replace("$", r"\$")
