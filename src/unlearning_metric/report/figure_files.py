"""The figures for papers as files, which several processes may share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from unlearning_metric.report.figure_style import style
from unlearning_metric.report.figures import drawings
from unlearning_metric.report.gather import Findings
from unlearning_metric.report.names import FORMATS
from unlearning_metric.store.files import write_atomically


def save_all(found: Findings, folder: Path | str, processes: int = 1) -> None:
    """Write every figure as PNG and PDF, black on white; several processes share the figures, which stay the same."""
    figures = drawings(found)
    if processes == 1 or sys.platform == "darwin":
        for name, draw in figures.items():
            _save(draw, Path(folder, name))
        return
    # Forks know what was found without being sent it.
    with ProcessPoolExecutor(processes, get_context("fork"), initializer=_DRAWN.update, initargs=(figures,)) as pool:
        list(pool.map(_save_drawn, figures, repeat(folder)))


#: In a process that shares the figures with others: what draws each.
_DRAWN: dict[str, Callable[[], Figure]] = {}


def _save_drawn(name: str, folder: Path | str) -> None:
    _save(_DRAWN[name], Path(folder, name))


def _save(draw: Callable[[], Figure], stem: Path) -> None:
    with style():
        figure = draw()
        for suffix in FORMATS:
            # Without a date the same run gives the same bytes.
            metadata = {"CreationDate": None} if suffix == "pdf" else None
            write_atomically(
                stem.with_name(f"{stem.name}.{suffix}"),
                lambda path, s=suffix, m=metadata: figure.savefig(path, format=s, metadata=m),
            )
            # What the first format found fits the second: to lay out is half of drawing.
            figure.set_layout_engine("none")
        plt.close(figure)
