"""Runs a step under a case on fixed inputs, as its rule does, and gives back its numbers."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pin_inputs as inputs
import torch
from pin_cases import BASE, CASES, FILES
from pin_inputs import KEY, PROVENANCE

from unlearning_metric import config
from unlearning_metric.jobs.check import check_method
from unlearning_metric.jobs.difficulty import measure_difficulty
from unlearning_metric.jobs.dump_losses import dump_losses
from unlearning_metric.jobs.import_dump import import_dump
from unlearning_metric.jobs.import_original import import_original
from unlearning_metric.jobs.prepare_data import prepare_data
from unlearning_metric.jobs.score import ScoreFiles, score_dumps
from unlearning_metric.jobs.split_data import split_data
from unlearning_metric.jobs.train import train_shard
from unlearning_metric.jobs.tune import choose
from unlearning_metric.jobs.unlearn import BenchFiles, unlearn_shard
from unlearning_metric.leaderboard.board import write_leaderboard
from unlearning_metric.plan.plan import Plan
from unlearning_metric.report.gather import gather
from unlearning_metric.report.summaries import epsilon_matrix, hardest, rank_agreement
from unlearning_metric.store.files import read_document, read_models, read_npz, read_parquet, write_npz
from unlearning_metric.store.stored import Stored, StoredFiles
from unlearning_metric.training import trainable

METHOD = FILES / "method.py"


def stored(path: Path) -> Stored:
    """A file of the fixed inputs, with the key of all of them."""
    return Stored(path, KEY)


def settings_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a case, without the keys that are the step's own."""
    raw = copy.deepcopy(BASE)
    for key, value in case.items():
        section, _, name = key.rpartition(".")
        if section:
            raw.setdefault(section, {})[name] = value
        elif key in config.Config.model_fields:
            raw[key] = value
    # Absent, since a file of the base need not be there.
    raw["model"] = {key: value for key, value in raw["model"].items() if value is not None}
    return raw


def plan_of(case: Mapping[str, Any], **more: Any) -> Plan:
    """The plan of a case; its method is called ``mine``."""
    raw = {**settings_of(case), **more}
    if raw["data"]["source"] == "digits" and "data.train_size" not in case:
        raw["data"]["train_size"] = 48
    elif raw["data"]["source"] != "digits":
        raw["data"]["train_size"] = None
    raw["shard_size"] = raw.get("copies", 4)
    entry = {"file": str(METHOD), "function": case.get("function", "finetune"), **case.get("options", {})}
    if "batches" in case:
        entry["batches"] = case["batches"]
    raw["methods"] = {"mine": entry}
    files = {"retrain": METHOD} if raw.get("ceiling") == "retrain" or entry["function"] == "everything" else {}
    return Plan(config.parse(raw, ["mine", "retrain"]), files)


def run(step: str, name: str, folder: Path) -> dict[str, Any]:
    """Numbers of a case of a step, by name; ``folder`` is empty and for this case alone."""
    torch.set_num_threads(1)
    return RUNS[step](CASES[step][name], folder)


def _prepare_data(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    source, path = case.get("data.source", "digits"), None
    if "file" in case:
        path = inputs.write_arrays(folder, case["file"])
    elif source in ("image_folder", "casia_surf"):
        path = inputs.write_images(folder / "images", source)
    plan = plan_of({**case, "data.path": None if path is None else str(path)})
    import torchvision

    kinds = ("CIFAR10", "CIFAR100", "SVHN", "MNIST", "FashionMNIST")
    stubs = {kind: inputs.downloaded(kind) for kind in kinds}
    with mock.patch.multiple(torchvision.datasets, **stubs):
        prepare_data(folder / "out.npz", plan.config.data.model_dump(mode="json"), 0, PROVENANCE)
    arrays, header = read_npz(folder / "out.npz")
    return {**arrays, "classes": header["classes"], "num_classes": header["num_classes"]}


def _difficulty(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    plan = plan_of(case)
    measure_difficulty(
        stored(inputs.write_data(folder)), folder / "out.npz", plan.difficulty_settings, "cpu", PROVENANCE
    )
    return read_npz(folder / "out.npz")[0]


def _split_data(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    plan, hard = plan_of(case), {}
    if "difficulty" in case:
        write_npz(folder / "hard.npz", {"loss": inputs.draw(8).random(48)}, PROVENANCE)
        hard = {"difficulty": stored(folder / "hard.npz")}
    seed = plan.config.experiment_seed
    split_data(stored(inputs.write_data(folder)), folder / "out.npz", plan.split_settings, seed, PROVENANCE, **hard)
    arrays, header = read_npz(folder / "out.npz")
    return {**arrays, "duplicates": header["duplicates"]}


def _train(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    models = case.get("models", [0, 1])
    if "model.weights" in case:
        case = {**case, "model.weights": str(inputs.write_checkpoint(folder))}
    # Neither what a compiler makes of the forward pass nor what a processor lacks is this package's.
    with torch.compiler.set_stance("force_eager"), mock.patch.object(trainable, "refuse_unsupported"):
        train_shard(
            stored(inputs.write_data(folder, case.get("side", 8))), stored(inputs.write_split(folder)),
            folder / "out.safetensors", case.get("role", "retain"), models, plan_of(case).training_settings, "cpu",
            PROVENANCE,
        )  # fmt: skip
    states = read_models(folder / "out.safetensors")[0]
    if case.get("model.name") in ("resnet18_cifar", "squeezenet1_1"):
        return {"all": {index: _joined(state) for index, state in states.items()}}
    return states


def _joined(state: Mapping[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([tensor.double().numpy().ravel() for tensor in state.values()])


def _import_original(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    checkpoint = inputs.write_checkpoint(folder)
    import_original(
        stored(inputs.write_data(folder)), checkpoint, folder / "out.safetensors",
        plan_of({**case, "original": str(checkpoint)}).original_settings, PROVENANCE,
    )  # fmt: skip
    return read_models(folder / "out.safetensors")[0]


def _bench(case: Mapping[str, Any], folder: Path, **more: Any) -> BenchFiles:
    count, images = case.get("originals", {"count": 1})["count"], "model.width" in case
    originals = StoredFiles([str(inputs.write_states(folder, list(range(count)), "full", images))], KEY)
    return BenchFiles(stored(inputs.write_data(folder)), stored(inputs.write_split(folder)), originals, **more)


def _unlearn(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    oracles = {}
    if case["function"] == "everything":
        path = inputs.write_states(folder, [10, 11, 12, 13], "unlearn/retrain")
        oracles = {"oracles": StoredFiles([str(path)], KEY)}
    unlearn_shard(
        _bench(case, folder, **oracles), METHOD, {"method": "mine", "models": [0, 3]},
        plan_of(case).unlearning_settings("mine"), folder / "out.safetensors", "cpu", PROVENANCE,
    )  # fmt: skip
    states, header = read_models(folder / "out.safetensors")
    return {**states, "passes": header["run"]["passes"]}


def _check(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    check_method(
        _bench(case, folder), METHOD, {"method": "mine", "models": [0, 1]}, {"copies": 4, "limit": 0.2},
        plan_of(case).unlearning_settings("mine"), folder / "out.json", "cpu", PROVENANCE,
    )  # fmt: skip
    document = read_document(folder / "out.json")
    told = ("efficiency", "provenance", "warnings", "arguments", "cuda")
    return {name: value for name, value in document.items() if name not in told}


def _outputs_of(path: Path) -> dict[str, Any]:
    frame, header = read_parquet(path)
    columns = {name: frame[name].astype(str).to_numpy() if name == "role" else frame[name].to_numpy() for name in frame}
    return {**columns, "accuracy": header["accuracy"], "diverged": header["diverged"]}


def _dump_losses(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    models = inputs.write_states(folder, [0, 1, 2], "retain", "images" in case, "diverged" in case)
    settings = plan_of(case).config.model.model_dump(mode="json")
    dump_losses(
        stored(inputs.write_data(folder)), stored(inputs.write_split(folder)), stored(models), settings,
        folder / "out.parquet", "cpu", "keep", PROVENANCE,
    )  # fmt: skip
    return _outputs_of(folder / "out.parquet")


def _import_dump(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    rng, sets, arrays = inputs.draw(11), inputs.split().arrays(), {}
    for role, prefix, pool in (("forget", "", "y_train"), ("test", "test_", "y_test")):
        order = rng.permutation(len(sets[role]))
        examples, labels = sets[role][order], inputs.pool()[pool][sets[role][order]]
        values = {
            "confidence": rng.normal(size=(4, len(order))),
            "loss": rng.exponential(size=(4, len(order))),
            "logits": rng.normal(size=(4, len(order), inputs.CLASSES)),
        }[case["signal"]]
        arrays |= {f"{prefix}{case['signal']}": values, f"{prefix}examples": examples, f"{prefix}labels": labels}
    np.savez(folder / "dump.npz", **arrays, seconds=rng.random(4))
    import_dump(
        stored(inputs.write_data(folder)), stored(inputs.write_split(folder)), folder / "dump.npz",
        {"method": "mine", "models": [0, 1, 2, 3]}, 4, folder / "out.parquet", PROVENANCE,
    )  # fmt: skip
    return _outputs_of(folder / "out.parquet")


def _scored(case: Mapping[str, Any], folder: Path, name: str = "mine", seed: int = 21, shift: float = 1.0) -> None:
    """Score a method of drawn outputs into a folder."""
    plan = plan_of(case)
    copies, groups = plan.config.copies, case.get("groups", True)
    sides = {"retrained": (20, copies, 0.0), "unlearned": (seed, copies, shift),
             "originals": (30, plan.originals, 3.0)}  # fmt: skip
    if plan.config.originals.count > 1:
        sides["unlearned_0001"] = (seed + 100, copies, shift / 2)
    if plan.config.ceiling == "retrain":
        sides["ceiling"] = (40, copies, 0.0)
    dumps = {}
    for side, (drawn, models, moved) in sides.items():
        diverged = side == "unlearned" and "diverged" in case
        file = folder / f"{side}_{name}" / f"0000-{models - 1:04d}.parquet"
        file.parent.mkdir(exist_ok=True)
        quick = side == "unlearned" and name == "mine"
        written = inputs.write_outputs(file, drawn, models, moved, groups, diverged, quick)
        dumps[side] = StoredFiles([str(written)], KEY)
    names = (f"score_{name}.json", f"samples_{name}.parquet", f"replicates_{name}.npz")
    out = ScoreFiles(*(folder / file for file in names))
    score_dumps(dumps, out, name, plan.score_settings("mine"), "keep", PROVENANCE)


def _score(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    _scored(case, folder)
    document = read_document(folder / "score_mine.json")
    frame, _ = read_parquet(folder / "samples_mine.parquet")
    samples = {column: frame[column].to_numpy() for column in frame}
    left_out = ("provenance", "warnings", "schema_version", "method")
    kept = {name: value for name, value in document.items() if name not in left_out}
    return {**kept, "warnings": len(document["warnings"]), "samples": samples,
            "replicates": read_npz(folder / "replicates_mine.npz")[0]}  # fmt: skip


#: Method -> seed and shift of its drawn outputs; each is scored once a process.
BOARD = {"mine": (21, 1.0), "near": (22, 1.1), "far": (23, 3.0)}


@cache
def _scores() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory()
    for name, (seed, shift) in BOARD.items():
        _scored({"copies": 16}, Path(folder.name), name, seed, shift)
    return folder


def _board(case: Mapping[str, Any], folder: Path) -> None:
    shutil.copytree(_scores().name, folder, dirs_exist_ok=True)
    exclude = plan_of(case).config.efficiency.exclude
    write_leaderboard(
        folder, {name: folder / f"score_{name}.json" for name in BOARD},
        {name: folder / f"replicates_{name}.npz" for name in BOARD}, dict.fromkeys(BOARD, KEY), PROVENANCE,
        {"late": ("failed", "its copy 0 failed")}, exclude,
    )  # fmt: skip


def _tune(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    shutil.copytree(_scores().name, folder, dirs_exist_ok=True)
    scores, points = [folder / f"score_{name}.json" for name in BOARD], [{"number": one} for one in range(len(BOARD))]
    choose(scores, [KEY] * len(BOARD), points, folder / "tuned.json", "mine", PROVENANCE)
    document = read_document(folder / "tuned.json")
    return {"options": document["options"], "points": document["points"]}


def _leaderboard(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    _board(case, folder)
    return {"rows": read_document(folder / "leaderboard.json")["rows"]}


def _report(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    _board(case, folder)
    folders = {"retain": "retrained_mine", **{f"unlearn/{name}": f"unlearned_{name}" for name in BOARD}}
    dumps = {
        group: StoredFiles([str(folder / side / "0000-0015.parquet")], KEY) for group, side in folders.items()
    }  # fmt: skip
    found = gather(folder, dumps, dict.fromkeys(BOARD, KEY), stored(inputs.write_data(folder)), KEY)
    shown = {
        method.name: {
            "utility": method.utility, "seconds": method.seconds,
            "examples": {example.kind: [example.index, example.label] for example in method.examples},
            "confidences": {example.kind: example.unlearned for example in method.examples},
        }
        for method in found.methods
    }  # fmt: skip
    tables = {"hardest": hardest(found.methods), "epsilons": epsilon_matrix(found.methods)}
    numbers = {name: table.to_numpy(dtype=np.float64) for name, table in tables.items()}
    # Pair by pair: one more metric moves none of them.
    numbers["agreement"] = rank_agreement(found.methods).to_dict()
    return {**shown, **numbers, "seconds": dict(found.seconds), "images": {str(i): x for i, x in found.images.items()}}


RUNS: dict[str, Callable[[Mapping[str, Any], Path], dict[str, Any]]] = {
    "prepare_data": _prepare_data, "difficulty": _difficulty, "split_data": _split_data, "train": _train,
    "import_original": _import_original, "unlearn": _unlearn, "tune": _tune, "check": _check,
    "dump_losses": _dump_losses, "import_dump": _import_dump, "score": _score, "leaderboard": _leaderboard,
    "report": _report,
}  # fmt: skip
