"""What a run may make in a folder that was opened from a bank: all but what the bank stands for."""

from __future__ import annotations

from unlearning_metric.bank import Opened
from unlearning_metric.plan.steps import DATASET, Step
from unlearning_metric.upkeep.current import State
from unlearning_metric.upkeep.refusal import RefusalError

#: Begin the files that a bank stands for: they are in it, or would have to be trained.
_OF_BANK = ("models/full/", "losses/full/", "losses/retain/")


def refuse_outside_bank(bank: Opened, shown: str, path: str, state: State, step: Step) -> None:
    """Stop where a run would make anew, or in addition, what comes from the bank.

    Parameters
    ----------
    bank : that the folder was opened from
    shown, path : the file as the user names it, and within the folder
    state : what the file is to the step that makes it
    step : of the plan

    Raises
    ------
    RefusalError
        Says which file, what differs, and what to do.
    """
    held = bank.of_file(path)
    record = f"{shown.removesuffix(path)}bank.json"
    leave = f"Or delete {record} to go on without the bank: what is missing is then trained here."
    if held is None:
        if state.kind == "absent" and path.startswith(_OF_BANK):
            raise RefusalError(_too_many(bank, step, leave))
        return
    if state.kind == "absent" and path != DATASET:
        raise RefusalError(
            f"{shown} was in the bank {bank.name} and is missing. Open the bank again, into a new folder."
        )
    if state.kind == "stale":
        raise RefusalError(
            f"{shown} comes from the bank {bank.name} and is not what this configuration needs. Found -> needed: "
            f"{state.text}. Nothing was changed. Set back what differs: in the folder of a bank, methods and skip may "
            "be changed, copies and originals lowered, and the files that the bank asks for must be its maker's. "
            f"{_of_data(bank)}{leave}"
        )


def _of_data(bank: Opened) -> str:
    data = bank.record.data or {}
    return (
        ""
        if data.get("included")
        else f"The bank's data set has the key {data.get('key')} and the content {data.get('identity')}. "
    )


def _too_many(bank: Opened, step: Step, leave: str) -> str:
    record = bank.record
    full = "full" in step.wildcards.values() or step.rule in ("train_full", "import_original")
    key, has = ("originals.count", record.originals) if full else ("copies", record.copies)
    size = record.shard_size or "auto"
    jobs = f", in jobs of {size}," if record.shard_size else ""
    return (
        f"the bank {bank.name} has {record.copies} retrained models and {record.originals} original ones{jobs} and the "
        f"configuration asks for others. Nothing was made. Set {key}: {has} or lower, and shard_size: {size}. Every "
        f"model more costs a retraining, {retraining_cost(bank, 1)}. {leave}"
    )


def retraining_cost(bank: Opened, models: int) -> str:
    """What training so many models would cost, as the bank's maker knows it."""
    seconds = bank.record.seconds
    if seconds is None:
        return f"{models} retrainings"
    total = models * seconds
    shown = f"{total:.3g} s" if total < 600 else f"{total / 3600:.2g} h"
    return f"{shown} on the machine that made the bank"
