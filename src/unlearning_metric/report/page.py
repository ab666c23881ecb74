"""One self-contained page of everything a run found."""

from __future__ import annotations

import ast
import base64
import io
from collections.abc import Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from unlearning_metric.bank.record import bank_sentence
from unlearning_metric.config.neutral import is_neutral
from unlearning_metric.keys.origin import code_fingerprint
from unlearning_metric.leaderboard.formats import cautions, head_line, originals_text, others_line, warning_texts
from unlearning_metric.leaderboard.tables import SORTING, leaderboard_html, others_html
from unlearning_metric.progress import installed_version
from unlearning_metric.report.answer import answer, board_html, setting_line
from unlearning_metric.report.gather import Findings, Method, hardest
from unlearning_metric.report.payload import arrays, as_scripts, payload

#: Largest height and width of an example's picture, in pixels.
PICTURE_SIDE = 96
#: More warnings than this fold away, so that the board stays on the first screen.
WARNINGS_SHOWN = 2


def report_html(found: Findings, descriptions: Mapping[str, str]) -> str:
    """The page.

    Parameters
    ----------
    found : what a run found; at least one scored method
    descriptions : method -> what it is, in a sentence
    """
    first = found.first
    interval = first["challenge"]["interval"]
    documents = [method.document for method in found.methods]
    return page_of(
        "report.html.j2",
        title=f"Unlearning methods on {first['dataset']}",
        setting=setting_line(first) + ("" if found.bank is None else f" · {bank_sentence(found.bank)}"),
        from_first="original" in found.methods[0].samples,
        answer=answer(found),
        board=board_html(found),
        warnings=warning_texts(documents),
        warnings_shown=WARNINGS_SHOWN,
        reading=head_line(first),
        leaderboard=Markup(leaderboard_html(found.rows, first)),
        sorting=Markup(SORTING),
        reasons=found.reasons,
        intervals=interval["reason"] is None,
        no_intervals=f"No intervals: {interval['reason']}.",
        compared=bool(found.pairs),
        groups="group" in found.methods[0].samples,
        sampled=len(found.laws.places) < len(found.methods[0].samples),
        examples=len(found.methods[0].samples),
        shown=len(found.laws.places),
        many=len(found.methods) > 2,
        hardest=[
            {
                "picture": _picture_of(row.example, row.label, found),
                "index": row.example,
                "label": found.class_text(row.label),
                "epsilon": f"{row.epsilon:.2f}",
            }
            for row in hardest(found.methods).itertuples()
        ],
        others_reading=others_line(first),
        others=Markup(others_html(documents)),
        cautions=cautions(),
        methods=[_method(method, descriptions.get(method.name, "")) for method in found.methods],
        copies=first["copies"],
        run=list(what_was_run(found).items()),
        version=installed_version("unlearning-metric"),
        data=as_scripts(payload(found, descriptions, _pictures(found)), arrays(found)),
    )


def page_of(template: str, **parts: Any) -> str:
    """A template with its parts, the page's style and scripts among them; parts are escaped unless they are markup."""
    environment = Environment(loader=PackageLoader("unlearning_metric.report"), autoescape=True, trim_blocks=True)
    folder = resources.files("unlearning_metric.report")

    def text(*path: str) -> Markup:
        return Markup(folder.joinpath(*path).read_text(encoding="utf-8"))

    return environment.get_template(template).render(
        style=text("templates", "report.css"),
        vega=[text("vendor", name) for name in ("vega.min.js", "vega-lite.min.js")],
        scripts=[text("templates", name) for name in ("attack.js", "charts.js", "report.js")],
        **parts,
    )


def _method(method: Method, description: str) -> dict[str, Any]:
    challenge = method.document["challenge"]
    final = "no final score" if challenge["final_score"] is None else f"final score {challenge['final_score']:.4f}"
    return {
        "name": method.name,
        "summary": f"{final}, forgetting score {challenge['forgetting_score']:.4f}",
        "description": description,
        "warnings": method.document["warnings"],
    }


def _pictures(found: Findings) -> dict[int, str]:
    """Example -> address of its picture, of the examples that may be attacked."""
    shown = found.methods[0].samples["example"].to_numpy()[found.laws.places].tolist()
    return {index: picture_address(found.images[index]) for index in shown if index in found.images}


def _picture_of(index: int, label: int, found: Findings) -> Markup | str:
    """The picture of an example, nothing where the data are no images."""
    return picture(found.images[index], index, found.class_text(label)) if index in found.images else ""


def picture(image: np.ndarray, index: int, label: str) -> Markup:
    """An image uint8 [height, width, channels] as an element that holds it, with a text alternative."""
    return Markup(
        f'<img class="picture" src="{picture_address(image)}" alt="forget example {int(index)}, label {escape(label)}">'
    )


def picture_address(image: np.ndarray) -> str:
    """An image uint8 [height, width, channels] as an address that holds it.

    One larger than `PICTURE_SIDE` is made smaller: the page shows a stamp, and has to stay small.
    """
    from PIL import Image

    pixels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]
    if image.shape[2] == 2:
        pixels = np.concatenate([image, np.zeros_like(image[..., :1])], axis=2)
    shown = Image.fromarray(np.ascontiguousarray(pixels))
    shown.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    shown.save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


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


def first_sentence(path: Path | str) -> str:
    """First line of a method file's docstring; nothing where there is none or the file does not parse."""
    try:
        text = ast.get_docstring(ast.parse(Path(path).read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError):
        return ""
    return (text or "").partition("\n")[0]
