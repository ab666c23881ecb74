"""Leaderboard, scores and outputs -> report.html and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.progress import LOGGER
from unlearning_metric.report.figure_files import save_all
from unlearning_metric.report.gather import gather
from unlearning_metric.report.page import first_sentence, report_html
from unlearning_metric.store.files import write_page
from unlearning_metric.store.stored import Stored, StoredFiles


def write_report(
    results: Path | str,
    dumps: Mapping[str, StoredFiles],
    score_keys: Mapping[str, str],
    dataset: Stored,
    board_key: str | None,
    method_files: Mapping[str, str],
    provenance: Mapping[str, Any],
    processes: int = 1,
) -> None:
    """Write the figures, then the page.

    Parameters
    ----------
    results, dumps, score_keys, dataset, board_key : as for `report.gather.gather`
    method_files : method -> its file, whose docstring says what it is
    provenance : ``key`` and ``origin`` of the page
    processes : that share the drawing

    Raises
    ------
    StoreError
        If a file is damaged or of another key.
    """
    found = gather(results, dumps, score_keys, dataset, board_key)
    save_all(found, Path(results, "figures"), processes)
    page = report_html(found, {name: first_sentence(path) for name, path in method_files.items()})
    write_page(Path(results, "report.html"), page, provenance)
    LOGGER.info("report of %d methods, %.1f MB", len(found.methods), len(page) / 1e6)
