"""A method file, the first original -> check_<method>.json: does it fit the contract, and what does it do?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearning_metric.bank import Opened, opened_bank
from unlearning_metric.config import CopiesSettings, CostSettings, UnlearningSettings
from unlearning_metric.jobs.unlearn import Bench, BenchFiles, prepare_bench, retraining_record
from unlearning_metric.metrics.simple_mia import SPLITS, simple_mia
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.outputs.of_model import model_outputs
from unlearning_metric.progress import LOGGER, run_record
from unlearning_metric.runtime.cost import CLOCKS
from unlearning_metric.scoring.efficiency import BESIDE, MODELS, examples_ratio, limited, seconds_ratio
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import read_header, stored_key, write_document
from unlearning_metric.training.recipe import one_by_one
from unlearning_metric.training.train import make_dataset
from unlearning_metric.unlearning.copies import Copies, bound_text, method_of_file, run_copies
from unlearning_metric.user_code.unchanged_files import refuse_edited, user_files

SCHEMA_VERSION = 1
#: Sets whose accuracy is shown.
EVALUATED = ("retain", "forget", "validation", "test")


def check_method(
    files: BenchFiles,
    method_file: Path | str,
    copies: CopiesSettings | Mapping[str, Any],
    costs: CostSettings | Mapping[str, Any],
    settings: UnlearningSettings | Mapping[str, Any],
    out: Path | str,
    device: str,
    provenance: dict[str, Any],
) -> None:
    """Run a method's copy 0, then copies 1 and 0, all from the first original, and write what was seen.

    Parameters
    ----------
    files : of the originals, the first alone
    copies : of which method, and how long one may take
    costs : what the cost of a copy is compared with
    settings, provenance : as for `jobs.unlearn.unlearn_shard`

    Raises
    ------
    MethodError
        If the method does not fit the contract: says why, and how to become one.
    """
    settings, copies = UnlearningSettings.model_validate(settings), CopiesSettings.model_validate(copies)
    read = {**user_files(settings.model.file, settings.training.file), "file": method_file}
    refuse_edited(provenance, read, settings.interface)
    bench = prepare_bench(files, settings, device)
    given = method_of_file(
        copies.method, method_file, settings.function, settings.options, settings.batches, settings.interface
    )
    bank = opened_bank(Path(out).parent)
    # Copy 0 again, after another one: what that leaves behind would show.
    runs = [run_copies(given, bench.start, indices, max_seconds=copies.max_seconds) for indices in ([0], [1, 0])]
    costs = CostSettings.model_validate(costs)
    efficiency = _efficiency(bench, runs, _retraining(files.originals.paths[0], costs.retrained, bank), costs)
    document = check_document(bench, runs, copies.method, settings, efficiency)
    document["provenance"] = {**provenance, "run": run_record(device, one_by_one(settings.training))}
    write_document(out, document)
    for line in summary_lines(document):
        LOGGER.info("%s", line)


def _retraining(original: Path | str, retrained: dict[str, str], bank: Opened | None) -> tuple[list[float], str | None]:
    """Seconds of retrained models, and of which models; none where nothing tells."""
    made = [path for path, key in retrained.items() if stored_key(path) == key]
    paths, source = (made, MODELS) if made else ([original], "the original model")
    if bank is not None:
        system = bank.record.machine.get("system", "unknown")
        source += f" of the bank {bank.name}, perhaps on another machine: {system}"
    # An original trained elsewhere tells no time.
    seconds = [value for path in paths for value in read_header(path)["run"].get("seconds", ())]
    return seconds, source if seconds else None


def _efficiency(
    bench: Bench, runs: list[Copies], models: tuple[list[float], str | None], costs: CostSettings
) -> dict[str, Any]:
    """A check's ``efficiency``: what a copy costs, what a retraining does, and the verdict.

    Parameters
    ----------
    models : seconds of retrained models, and of which, for where none was measured beside the copies
    """

    def of_runs(name: str) -> np.ndarray:
        return np.array([value for run in runs for value in getattr(run, name).values()], dtype=np.float64)

    seconds, beside, made = of_runs("seconds"), of_runs("retraining"), np.array(models[0])
    full, source = (beside, BESIDE) if len(beside) else (made, models[1])
    examples = np.array(retraining_record(bench.start, runs[0], [0]).get("examples", ()))
    each = float(np.median(seconds))
    return {
        "seconds_per_copy": each,
        "seconds_per_retraining": float(np.median(full)) if len(full) else None,
        "clock": CLOCKS[bench.start.device.type],
        "retraining_measured_on": source,
        **limited(
            seconds_ratio(seconds, beside, made),
            examples_ratio(of_runs("examples"), examples),
            costs.limit,
            costs.measure,
        ),
        "copies": costs.copies,
        "seconds_all_copies": each * costs.copies,
    }


def check_document(
    bench: Bench,
    runs: list[Copies],
    method: str,
    settings: UnlearningSettings,
    efficiency: dict[str, Any],
) -> dict[str, Any]:
    """What three copies of a method show.

    Parameters
    ----------
    bench : what the runs started from
    runs : copy 0; copies 1 and 0
    efficiency : what a copy costs

    Returns
    -------
    JSON-serialisable, without provenance
    """
    alone, after_another = runs
    first, again, other = alone.states[0], after_another.states[0], after_another.states[1]
    before = bench.start.originals[0]
    after = build_model(settings.model, bench.start.image_shape, bench.start.num_classes, seed=0)
    after.load_state_dict(first)
    after.to(next(before.parameters()).device)
    document = {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "fits_contract": True,
        # What each parameter of its function got: a wrong binding is seen at a glance.
        "arguments": alone.bound,
        "cuda": settings.interface.get("cuda"),
        "changes_parameters": not _equal(first, before.state_dict()),
        "differs_between_seeds": not _equal(first, other),
        "same_with_same_seed": _equal(first, again),
        # Of the copies that ran after another one.
        "reads_of_other_copies": sorted(alone.shared | after_another.shared),
        "passes": {name: of_copy[0] for name, of_copy in alone.passes.items()},
        **_evaluation(bench, {"before": before, "after": after}, settings.experiment_seed),
        "efficiency": efficiency,
    }
    return {**document, "warnings": _warnings(document)}


def _equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    # Bit by bit, so that a NaN equals itself.
    return all(_bytes(one[name]) == _bytes(two[name]) for name in one)


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _evaluation(bench: Bench, models: dict[str, nn.Module], experiment_seed: int) -> dict[str, Any]:
    """Accuracies and simple MIA of the models, by name, and whether the one after unlearning diverged."""
    device = bench.start.device.type
    sets = {**bench.start.datasets, "test": make_dataset(bench.data, "test", bench.indices["test"], device)}
    accuracies: dict[str, dict[str, float | None]] = {}
    attacks: dict[str, float | None] = {}
    for name, model in models.items():
        signals, diverged = model_outputs(model, sets)
        accuracies[name] = {
            part: float(signals[part]["correct"].mean()) if len(sets[part]) else None for part in EVALUATED
        }
        enough = min(len(sets["forget"]), len(sets["test"])) >= SPLITS
        losses = [signals[part]["loss"][None] for part in ("forget", "test")]
        seed = Streams(experiment_seed, "simple_mia").integer("splits") % 2**32
        attacks[name] = float(simple_mia(*losses, seed=seed)[0]) if enough else None
    return {"accuracy": accuracies, "simple_mia": attacks, "diverged": diverged}


def _warnings(document: dict[str, Any]) -> list[str]:
    efficiency = document["efficiency"]
    found = []
    if document["diverged"]:
        found.append("the copy has non-finite parameters or outputs; such copies count as wrong everywhere")
    if not document["changes_parameters"]:
        found.append("the copy equals the original bit by bit; it scores as the floor does, 0 with one original")
    elif not document["differs_between_seeds"]:
        found.append(
            "two seeds give the same copy; with one original such a method scores exactly 0. Draw fresh randomness "
            "(torch, numpy and random are seeded for each copy; the loaders shuffle), or set originals: per_copy"
        )
    if not document["same_with_same_seed"]:
        found.append(
            "the same seed gave two different copies; its scores will not repeat. Draw randomness from torch, numpy, "
            "random or the argument generator, never from the clock, and read nothing back that another copy may have "
            "written"
        )
    if shared := document["reads_of_other_copies"]:
        found.append(
            f"a copy read what an earlier copy wrote ({', '.join(shared[:5])}), so copies are not independent. Have it "
            "write by a relative path, which goes into a folder of the copy's own, or put the seed into the name"
        )
    if efficiency["verdict"] in ("over", "unclear"):
        of_seconds = efficiency["limit_on"] == "seconds"
        costs, what = ("takes", "the seconds") if of_seconds else ("reads", "the examples")
        share = efficiency["ratio" if of_seconds else "passes_ratio"]
        line = f"a copy {costs} {share:.0%} of {what} of a retraining; efficiency.limit is {efficiency['limit']:.0%}"
        found.append(line + (", too near to tell" if efficiency["verdict"] == "unclear" else ""))
    return found


def summary_lines(document: dict[str, Any]) -> list[str]:
    """A check as lines to read."""
    efficiency, accuracy, mia = document["efficiency"], document["accuracy"], document["simple_mia"]
    yes = {True: "yes", False: "NO"}
    shown = {None: "-"}
    lines = [
        f"{document['method']}: fits the contract; changes parameters: {yes[document['changes_parameters']]}; differs "
        f"between seeds: {yes[document['differs_between_seeds']]}; same with the same seed: "
        f"{yes[document['same_with_same_seed']]}",
        "arguments: " + bound_text(document["arguments"]),
        *(["CUDA asked for by name meant the CPU (cuda: pretend)"] if document["cuda"] == "pretend" else []),
        "passes over " + ", ".join(f"{name} {passes:.3g}" for name, passes in document["passes"].items()),
        "accuracy before -> after: "
        + ", ".join(
            f"{part} {shown.get(accuracy['before'][part]) or format(accuracy['before'][part], '.3f')} -> "
            f"{shown.get(accuracy['after'][part]) or format(accuracy['after'][part], '.3f')}"
            for part in EVALUATED
        ),
    ]
    if mia["after"] is not None:
        lines.append(f"simple MIA before -> after (ideal 0.5): {mia['before']:.3f} -> {mia['after']:.3f}")
    share = "nothing was trained here yet that would tell a retraining's time"
    if efficiency["ratio"] is not None:
        low, high = efficiency["ratio_interval"]
        share = (
            f"{efficiency['ratio']:.1%} ({low:.1%} to {high:.1%}) of a retraining "
            f"({efficiency['seconds_per_retraining']:.3g} s, {efficiency['retraining_measured_on']}; limit "
            f"{efficiency['limit']:.0%})"
        )
    read = "" if efficiency["passes_ratio"] is None else f", {efficiency['passes_ratio']:.1%} of its passes"
    lines.append(
        f"{efficiency['seconds_per_copy']:.3g} {efficiency['clock']} seconds a copy, {share}{read}; all "
        f"{efficiency['copies']} copies: about {efficiency['seconds_all_copies']:.0f} s of one core or GPU"
    )
    return lines + [f"warning: {text}" for text in document["warnings"]]
