"""What reproduces a leaderboard, and what to cite with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from unlearning_metric.errors import plain
from unlearning_metric.progress import installed_version

#: Groups of models whose keys all methods of a leaderboard share.
_SHARED = ("retrained", "originals", "ceiling")


def configuration_text(documents: Sequence[Mapping[str, Any]]) -> str:
    """The configuration that gives these scores, as YAML that the workflow reads.

    Of a method whose entry names a file or a function, only the hyper-parameters are known.

    Parameters
    ----------
    documents : score documents of a leaderboard
    """
    settings = {document["method"]: document["provenance"]["configuration"] for document in documents}
    first = next(iter(settings.values()))
    common = {name: value for name, value in first.items() if name != "options"}
    methods = {name: dict(given["options"]) for name, given in settings.items() if given.get("options")}
    return yaml.safe_dump({**common, "methods": methods}, sort_keys=False, allow_unicode=True, width=100)


def keys(documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What was scored -> its key: the models that all methods share, then each method's score."""
    shared = documents[0]["provenance"]["keys"]
    found = {name: shared[name] for name in _SHARED if name in shared}
    return {**found, **{document["method"]: document["provenance"]["key"] for document in documents}}


def bibtex() -> str:
    """Two entries: the metric's report and this software."""
    return (
        "@techreport{unlearning_challenge_2023, title = {Evaluation for the {NeurIPS} Machine Unlearning Competition}, "
        "author = {{NeurIPS 2023 Machine Unlearning Challenge organisers}}, "
        "institution = {NeurIPS 2023 Machine Unlearning Challenge}, year = {2023}}\n"
        "@software{unlearning_metric, title = {unlearning-metric: the {NeurIPS} 2023 Unlearning Challenge metric as a "
        "workflow}, author = {{The unlearning-metric authors}}, "
        f"version = {{{installed_version('unlearning-metric')}}}, year = {{2026}}}}\n"
    )


def as_comments(documents: Sequence[Mapping[str, Any]]) -> str:
    """Citation, keys and configuration as comments of a LaTeX file."""
    listed = ", ".join(f"{name} {key}" for name, key in keys(documents).items())
    text = f"Cite:\n{bibtex()}Keys: {listed}\nConfiguration (snakemake --configfile):\n{configuration_text(documents)}"
    return "".join(f"% {plain(line)}\n" for line in text.splitlines())
