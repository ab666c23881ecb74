"""What was run, in words: data, model, recipe, versions, hardware, time, disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unlearning_metric.config.neutral import is_neutral
from unlearning_metric.keys.origin import code_fingerprint
from unlearning_metric.leaderboard.formats import originals_text
from unlearning_metric.report.gather import Findings


def what_was_run(found: Findings) -> dict[str, str]:
    """Data, model, recipe, seeds, versions, hardware, time and disk, as they are named on the page."""
    first = found.first
    provenance = first["provenance"]
    settings, run = provenance["configuration"], provenance["run"]
    scored = run["scored"]
    devices = sorted({shard.get("gpu", shard["device"]) for shard in run.get("shards", {}).get("retrained", [])})

    def listed(section: Mapping[str, Any], title: str = "") -> str:
        # What is switched off is left out.
        said = {name: value for name, value in section.items() if not is_neutral(f"{title}.{name}", value)}
        return ", ".join(f"{name} {value}" for name, value in said.items() if value not in (None, [], {}))

    return {
        "Data": listed(settings["data"], "data"),
        "Forget set": f"{first['forget']['size']} examples; {listed(settings['forget'], 'forget')}",
        "Model": listed(settings["model"], "model"),
        "Recipe": listed(settings.get("training", {}), "training") or "not known here",
        "Models": f"{first['copies']} retrained, {first['copies']} copies a method; {originals_text(first)}",
        "Seed": str(settings["experiment_seed"]),
        "Delta": f"{settings['delta']:g}",
        "Versions": listed(scored["versions"]),
        "Code": "; ".join([str(scored.get("commit") or "not a checkout"), *_by_other_code(found)]),
        "Hardware": f"{scored['system']}; models on {', '.join(devices) or 'unknown'}",
        "Seconds": ", ".join(f"{name} {value:.0f}" for name, value in found.seconds.items()) or "not recorded",
        "Disk": ", ".join(f"{name} {value / 1e6:.1f} MB" for name, value in found.disk.items()) or "not kept",
    }


def _by_other_code(found: Findings) -> list[str]:
    """What was made by other code of the same versions than makes this page, in a sentence; nothing where nothing was.

    Models are counted by jobs.
    """
    made: dict[str, list[str | None]] = {}
    for method in found.methods:
        provenance = method.document["provenance"]
        made.setdefault("scores", []).append(provenance.get("code"))
        for side, runs in provenance["run"].get("shards", {}).items():
            # All methods share the other sides.
            if side.startswith("unlearned") or method is found.methods[0]:
                made.setdefault(f"{side} models", []).extend(run.get("code") for run in runs)
    counts = {what: sum(code not in (None, code_fingerprint()) for code in codes) for what, codes in made.items()}
    listed = ", ".join(f"{what} ({count} of {len(made[what])})" for what, count in counts.items() if count)
    return [f"by other code of the same versions: {listed}"] if listed else []
