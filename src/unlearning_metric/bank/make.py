"""A results folder, or arrays of models trained elsewhere -> a bank."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from unlearning_metric.bank.archive import write_archive
from unlearning_metric.bank.bag import PAYLOAD, tag_files
from unlearning_metric.bank.description import croissant, readme
from unlearning_metric.bank.digests import digests
from unlearning_metric.bank.problems import BankError
from unlearning_metric.bank.record import CONFIGURATION, FORMAT, IN_RESULTS, RECORD, SIDES, File, Need, Record
from unlearning_metric.bank.unpack import README
from unlearning_metric.keys.origin import code_fingerprint
from unlearning_metric.keys.versions import VERSIONS
from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge_score, split_ceiling
from unlearning_metric.metrics.intervals import score_interval
from unlearning_metric.metrics.replicates import LEAST_MODELS
from unlearning_metric.metrics.subsets import Sorted
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.plan.origins import CONTENT
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import DATASET, DIFFICULTY, SPLIT
from unlearning_metric.progress import installed_version
from unlearning_metric.scoring.intervals import LEAST_EXAMPLES, LEAST_HALVED, ceiling_replicates
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import StoreError, read_header, read_stamp, verify, write_npz
from unlearning_metric.user_code.contract import ORACLE_METHOD


@dataclass(frozen=True)
class Words:
    """What a bank says in its maker's words."""

    title: str
    licence: str
    citation: str


def make_bank(plan: Plan, results: Path | str, out: Path | str, words: Words, with_data: bool) -> Record:
    """Write the bank of a results folder, which is as its plan needs it.

    Parameters
    ----------
    plan : of the folder's configuration
    results : the folder
    out : the zip file
    with_data : whether the data set itself goes into it

    Raises
    ------
    BankError
        If a file that belongs into it is missing, damaged or of something else, or the folder is itself of a bank.
    """
    results = Path(results)
    if (results / IN_RESULTS).exists():
        raise BankError(f"{results} was opened from a bank: publish that one. No bank was made.")
    groups = bank_groups(plan)
    paths = [SPLIT, *([DIFFICULTY] if plan.needs_difficulty else []), *plan.model_files("full")]
    paths += [path for group in groups.values() for path in plan.dump_files(group)]
    files = {path: _checked(plan, results, path) for path in [DATASET, *paths]}
    data = files[DATASET]
    if not with_data:
        del files[DATASET]
    keys = {name: plan.dump_origin(group).key for name, group in groups.items()}
    try:
        counts = {name: plan.originals if name == "originals" else plan.config.copies for name in groups}
        sides = {
            name: load_ensemble([results / path for path in plan.dump_files(group)], keys[name], counts[name])
            for name, group in groups.items()
        }
    except StoreError as error:
        raise BankError(f"no bank was made: {error}") from error
    whole, needs, inputs = portable(plan)
    settings = plan.bank_settings()
    record = Record(
        **_said(words, sides, settings),
        kind="results",
        shard_size=plan.config.shard_size,
        machine=_machine(results / plan.dump_files("retain")[0], settings),
        files={f"results/{path}": file for path, file in files.items()},
        keys=keys,
        data={"key": data.key, "identity": data.identity, "included": with_data},
        needs=needs,
    )
    payload: dict[str, bytes | Path] = {CONFIGURATION: _configuration_text(whole, words.title).encode(), **inputs}
    payload |= {f"results/{path}": results / path for path in files}
    _write(out, record, payload)
    return record


def bank_groups(plan: Plan) -> dict[str, str]:
    """Side of a score -> group of models, of all sides but the method's own."""
    groups = plan.score_groups(ORACLE_METHOD)
    return {name: groups[name] for name in SIDES if name in groups}


def _checked(plan: Plan, results: Path, path: str) -> File:
    """What a file of results is; refused where it is missing, damaged or not what the plan needs."""
    step = plan.maker(path)
    assert step is not None
    if not (results / path).exists():
        raise BankError(f"no bank was made: {results / path} is missing. Make it first: snakemake {results / path}")
    try:
        verify(results / path, step.origin.key)
        header, identity = read_stamp(results / path)
    except StoreError as error:
        raise BankError(f"no bank was made: {error}") from error
    return File(key=header["key"], identity=identity)


def portable(plan: Plan) -> tuple[dict[str, Any], list[Need], dict[str, bytes | Path]]:
    """The configuration as others can use it.

    Returns
    -------
    configuration : with hyper-parameters of methods in ``methods/`` alone, and without what costs retrainings
    needs : files of the maker's that it names and that a bank does not hold: code, images, a checkpoint
    inputs : path within the payload -> file, of the list of examples to forget
    """
    whole = plan.config.model_dump(mode="json")
    needs: list[Need] = []
    inputs: dict[str, bytes | Path] = {}
    for key in ("data.path", "forget.path", "model.file", "training.file", "original"):
        section, _, last = key.rpartition(".")
        held = whole[section] if section else whole
        if held.get(last) is None:
            continue
        given = Path(held[last])
        if key == "forget.path":
            held[last] = f"inputs/{re.sub(r'[^A-Za-z0-9_-]', '_', given.stem)}{given.suffix.lower()}"
            inputs[held[last]] = given
        elif key != "data.path" or "content" in plan.data_origin.settings:
            held[last] = given.name
            fingerprint = plan.data_origin.settings["content"] if key == "data.path" else CONTENT[key](given)
            needs.append(Need(key=key, name=given.name, fingerprint=fingerprint))
        else:
            # Where this machine keeps what is downloaded.
            held[last] = None
    whole["methods"] = {
        name: dict(entry) for name, entry in whole["methods"].items() if not {"file", "dump"} & entry.keys()
    }
    costly = {name for name, method in plan.methods.items() if method.needs_oracle}
    if plan.config.ceiling != "retrain" and ORACLE_METHOD in plan.methods:
        costly.add(ORACLE_METHOD)
    shipped = {name for name, method in plan.methods.items() if not method.is_dump and name not in plan.config.methods}
    shipped |= whole["methods"].keys()
    whole |= {"results": "results", "device": "auto", "skip": sorted(({*whole["skip"]} | costly) & shipped)}
    return whole, needs, inputs


def _configuration_text(whole: Mapping[str, Any], title: str) -> str:
    return (
        f"# {json.dumps(title)[1:-1]}\n"
        "# The experiment of a bank. Its results are beside this file, so that methods alone are run: change methods\n"
        "# and skip. copies may be lowered; what else decides a number must stay as it is.\n\n"
        + yaml.safe_dump(dict(whole), sort_keys=False, allow_unicode=True)
    )


def make_bank_of_arrays(
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    sides: Mapping[str, Ensemble],
    settings: Mapping[str, Any],
    out: Path | str,
    words: Words,
) -> Record:
    """Write a bank of outputs of models trained elsewhere.

    Parameters
    ----------
    arrays : ``retrained`` and perhaps ``originals`` and ``ceiling`` -> arrays as `external.ensemble_of` describes them
    sides : the same, checked
    settings : of the scores that the bank gives
    """
    with tempfile.TemporaryDirectory() as aside:
        payload: dict[str, bytes | Path] = {}
        files = {}
        for name, given in arrays.items():
            path = Path(aside, f"{name}.npz")
            write_npz(path, given, {"key": f"arrays of {name}", "origin": None})
            header, identity = read_stamp(path)
            files[f"arrays/{name}.npz"] = File(key=header["key"], identity=identity)
            payload[f"arrays/{name}.npz"] = path
        record = Record(
            **_said(words, sides, settings),
            kind="arrays",
            shard_size=None,
            machine={},
            files=files,
            keys={},
            data=None,
            needs=[],
        )
        _write(out, record, payload)
    return record


def _said(words: Words, sides: Mapping[str, Ensemble], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What banks of both kinds say of their models."""
    retrained = sides["retrained"]
    return {
        "format": FORMAT,
        "title": words.title,
        "licence": words.licence,
        "citation": words.citation,
        "package": installed_version("unlearning-metric"),
        "versions": {step: version.number for step, version in VERSIONS.items() if step in _STEPS},
        "code": code_fingerprint(),
        "made": time.strftime("%Y-%m-%d", time.gmtime()),
        "copies": len(retrained),
        "originals": len(sides["originals"]) if "originals" in sides else 0,
        "settings": dict(settings),
        "seconds": float(np.median(retrained.seconds)) if len(retrained.seconds) else None,
        "accuracy": {
            name: {part: float(values.mean()) for part, values in side.accuracy.items()} for name, side in sides.items()
        },
        "ceiling": bank_ceiling(retrained, sides.get("ceiling"), settings),
    }


#: Steps whose files a bank may hold.
_STEPS = ("prepare_data", "difficulty", "split_data", "train", "import_original", "unlearn", "dump_losses")


def bank_ceiling(retrained: Ensemble, second: Ensemble | None, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ceiling that every score against these models has; None where there are too few of them.

    Parameters
    ----------
    second : a second set of retrained models; None: half-splits of the first
    settings : ``experiment_seed``, ``delta`` and ``ceiling`` are read
    """
    models, delta = len(retrained), settings["delta"]
    reference = retrained.forget.saturated
    seed = settings["experiment_seed"]
    split_seed = Streams(seed, "ceiling").integer("splits")
    if second is None and models < LEAST_HALVED:
        return None
    correction = None
    if second is None:
        correction = split_correction(reference, split_seed, delta)
        score = split_ceiling(reference, split_seed, delta=delta) * correction
        ordered = Sorted.of(reference)
    else:
        score = challenge_score(reference, second.forget.saturated, delta)
        ordered = Sorted.of(reference, second.forget.saturated)
    found: dict[str, Any] = {"score": float(score), "source": settings["ceiling"], "interval": None}
    if models >= LEAST_MODELS and reference.shape[1] >= LEAST_EXAMPLES:
        deletions = Streams(seed, "score").integer("deletions")
        replicates = ceiling_replicates(retrained, ordered, deletions, split_seed, delta, correction)
        found["interval"] = [float(end) for end in score_interval(replicates)]
    return found


def _machine(dump: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """On what the retrained models were made; no names of hosts."""
    run = read_header(dump).get("run", {})
    kept = {name: run[name] for name in ("system", "device", "gpu", "threads") if name in run}
    return {**kept, **{name: settings["training"][name] for name in ("engine", "precision")}}


def _write(out: Path | str, record: Record, payload: Mapping[str, bytes | Path]) -> None:
    """Write the archive: what describes it first, then the payload."""
    out = Path(out)
    text = json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False) + "\n"
    payload = {RECORD: text.encode(), **payload}
    summed = {name: digests(content) for name, content in payload.items()}
    described = {
        README: readme(record, out.name).encode(),
        "croissant.json": (json.dumps(croissant(record, summed), indent=2) + "\n").encode(),
    }
    about = {
        "Bagging-Date": record.made,
        "Bag-Software-Agent": f"unlearning-metric {record.package}",
        "External-Description": record.title,
    }
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", out.name.removesuffix(".zip")).strip("-") or "bank"
    members: dict[str, bytes | Path] = {
        f"{base}/{name}": content for name, content in tag_files(summed, described, about).items()
    }
    members |= {f"{base}/{PAYLOAD}/{name}": content for name, content in payload.items()}
    write_archive(out, members)
