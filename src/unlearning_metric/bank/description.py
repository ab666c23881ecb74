"""What a bank says of itself to people (a data set card) and to programs (Croissant)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from unlearning_metric.bank.bag import PAYLOAD
from unlearning_metric.bank.record import Record

#: Column of the outputs -> its type in Croissant, and what it is.
COLUMNS = {
    "model": ("sc:Integer", "number of the model"),
    "role": ("sc:Text", "forget, probe (a sample of the retain set), validation or test"),
    "example": ("sc:Integer", "index into the training pool, or the test set"),
    "label": ("sc:Integer", "true class"),
    "confidence": ("sc:Float", "ln p - ln(1 - p) of the true class"),
    "loss": ("sc:Float", "cross-entropy, nats"),
    "correct": ("sc:Boolean", "whether the model is right"),
}


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def readme(record: Record, file_name: str) -> str:
    """The data set card, Markdown."""
    settings = record.settings
    data, model, forget = (settings[name] for name in ("data", "model", "forget"))
    lines = [
        f"# {record.title}",
        "",
        f"A reference bank for machine unlearning: what {record.copies} models that were trained without the forget "
        "set say of its examples, so that a method is scored without training any of them.",
        "",
        "| | |",
        "| --- | --- |",
        f"| retrained models | {record.copies} |",
        f"| original models | {record.originals} |",
        f"| data | {data['source']} |",
        f"| forget set | {forget['strategy']} |",
        f"| net | {model.get('name') or model.get('file')} |",
    ]
    if record.seconds is not None:
        lines.append(f"| seconds of a retraining | {record.seconds:.3g} on {record.machine.get('system', 'unknown')} |")
    for side, accuracies in record.accuracy.items():
        shown = ", ".join(f"{name} {_percent(value)}" for name, value in accuracies.items())
        lines.append(f"| accuracy, {side} | {shown} |")
    if record.ceiling is not None:
        interval = record.ceiling.get("interval")
        within = "" if interval is None else f" (95 %: {interval[0]:.4f} to {interval[1]:.4f})"
        lines.append(f"| ceiling | {record.ceiling['score']:.4f}{within}, {record.ceiling['source']} |")
    lines += [f"| made | {record.made}, unlearning-metric {record.package} |", f"| licence | {record.licence} |", ""]
    lines += _use(record, file_name)
    if record.needs:
        lines += ["", "Not in the bank, and needed beside `config.yaml`:", ""]
        lines += [f"- `{need.key}`: `{need.name}`, fingerprint {need.fingerprint}" for need in record.needs]
    if record.citation:
        lines += ["", "## To cite", "", record.citation]
    lines += ["", "`bagit.py --validate` checks an unpacked copy; `croissant.json` describes the columns.", ""]
    return "\n".join(lines)


def _use(record: Record, file_name: str) -> list[str]:
    lines = ["## Use", "", f"    python -m unlearning_metric bank check {file_name}"]
    if record.kind == "results":
        lines += [
            f"    python -m unlearning_metric bank open {file_name} mine",
            "    cd mine && snakemake --snakefile <checkout>/Snakefile results/score_<method>.json",
            "",
            "or, with the outputs of a method's copies in `mine.npz`:",
            "",
        ]
    return [*lines, f"    python -m unlearning_metric score --bank {file_name} --unlearned mine.npz"]


_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/", "extract": "cr:extract",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "field": "cr:field", "fileObject": "cr:fileObject", "fileProperty": "cr:fileProperty", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated",
    "replace": "cr:replace", "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
_FORMATS = {
    ".parquet": "application/x-parquet", ".npz": "application/zip", ".json": "application/json",
    ".yaml": "application/yaml", ".safetensors": "application/octet-stream",
}  # fmt: skip


def croissant(record: Record, payload: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """The description as MLCommons' Croissant 1.0 reads it, JSON-LD.

    Parameters
    ----------
    payload : path within the payload -> its sha256, and bytes
    """
    files = []
    for name, (digest, size) in payload.items():
        path = f"{PAYLOAD}/{name}"
        files.append(
            {
                "@type": "cr:FileObject",
                "@id": path,
                "name": path,
                "contentUrl": path,
                "contentSize": f"{size} B",
                "encodingFormat": _FORMATS.get(PurePosixPath(name).suffix, "application/octet-stream"),
                "sha256": digest,
            }
        )
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": record.title,
        "description": f"Outputs of {record.copies} models retrained without a forget set, by which unlearning methods "
        "are scored.",
        "license": record.licence,
        "citeAs": record.citation or record.title,
        "datePublished": record.made,
        "version": f"{record.format}.0.0",
        "distribution": files,
        "recordSet": [_record_set(name) for name in payload if name.endswith(".parquet")],
    }


def _record_set(name: str) -> dict[str, Any]:
    """The columns of one file of outputs."""
    file = f"{PAYLOAD}/{name}"
    # Names of sets and fields are joined by "/".
    identity = name.removeprefix("results/").removesuffix(".parquet").replace("/", "_")
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{identity}/{column}",
            "name": f"{identity}/{column}",
            "description": text,
            "dataType": kind,
            "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
        }
        for column, (kind, text) in COLUMNS.items()
    ]
    return {"@type": "cr:RecordSet", "@id": identity, "name": identity, "field": fields}
