"""What of a results folder has to be made anew, and what stops a run before it makes anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from unlearning_metric.bank import BankError, opened_bank
from unlearning_metric.keys.origin import Origin
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import DATASET, DIFFICULTY, SPLIT, Step
from unlearning_metric.upkeep.current import PARTIAL, Folder, State
from unlearning_metric.upkeep.of_bank import refuse_outside_bank, retraining_cost
from unlearning_metric.upkeep.refusal import RefusalError
from unlearning_metric.user_code.contract import ORACLE_METHOD, unfillable


class Rebuild:
    """What of a plan has to be made anew, given what lies in a results folder.

    Parameters
    ----------
    plan, folder : held against each other
    forced : whether the user asked for a step to be made anew, whatever lies in its place
    recorded : path within the folder -> text of what Snakemake recorded when it made that file; None where it has no
        record
    options : of the command line that name the configuration, for the commands in messages
    """

    def __init__(
        self,
        plan: Plan,
        folder: Folder,
        forced: Callable[[Step], bool],
        recorded: Callable[[str], str | None],
        options: str = "",
    ) -> None:
        self.plan, self.folder, self.forced, self.recorded, self.options = plan, folder, forced, recorded, options
        try:
            self.bank = opened_bank(folder.path)
        except BankError as error:
            raise RefusalError(str(error)) from error
        self.itself, self.anew = cache(self.itself), cache(self.anew)

    def shown(self, path: str) -> str:
        """A file as the user names it."""
        return f"{self.folder.path}/{path}"

    def itself(self, step: Step) -> bool:
        """Whether a step is made anew for its own sake: it is forced, or a file of it is there and not current."""
        if self.forced(step):
            return True
        kinds = [self.folder.state(path, step.origin).kind for path in step.outputs]
        return any(kind not in ("current", "absent") for kind in kinds)

    def anew(self, step: Step) -> bool:
        """Whether a step is made anew for its own sake or for that of one that it builds on.

        What is merely absent makes nothing behind it anew: models may be deleted once their outputs are there.
        """
        return self.itself(step) or any(self.anew(maker) for maker in self.makers(step))

    def makers(self, step: Step) -> Iterator[Step]:
        """The steps whose files a step reads."""
        for path in step.reads():
            maker = self.plan.maker(path)
            if maker is not None:
                yield maker

    def asked(self, targets: Iterable[str]) -> list[Step]:
        """Steps that a run for these files or rules may touch, in the order the data flows."""
        asked = [os.path.relpath(target, self.folder.path) for target in targets]
        wanted = [self.plan.maker(path) for path in asked]
        if not wanted or None in wanted:
            # A rule, or the name of a method that nobody knows.
            return list(self.plan.steps())
        found: dict[Step, None] = {}

        def add(step: Step) -> None:
            if step not in found:
                for maker in self.makers(step):
                    add(maker)
                found[step] = None

        for step in wanted:
            assert step is not None
            add(step)
        return list(found)

    # What stops a run ---------------------------------------------------------------------------------------

    def look_through(self, steps: Iterable[Step]) -> None:
        """Stop where a file is foreign or damaged, or where one that others are made from is lost.

        In the flow of data: the first one says why the rest is. A file that is made anew by the user's wish may be
        anything.

        Raises
        ------
        RefusalError
            Says which file, what differs, and what to do.
        """
        current, older = [], []
        steps = list(steps)
        for step in steps:
            if step.rule in ("unlearn", "check"):
                self._refuse_unfilled(step.wildcards["method"])
        for step in steps:
            for path in step.outputs if not self.forced(step) else ():
                state = self.folder.state(path, step.origin)
                if self.bank is not None:
                    refuse_outside_bank(self.bank, self.shown(path), path, state, step)
                if state.older:
                    older.append(path)
                elif state.kind in ("damaged", "foreign", "unreadable"):
                    raise RefusalError(f"{self.shown(path)} {state.text}")
                elif state.kind == "stale" and self.is_foreign(path, step):
                    raise RefusalError(self._foreign(path, state))
                elif state:
                    current.append(path)
        if older:
            raise RefusalError(self._older(older))
        self._refuse_lost(current)
        for step in steps:
            if step.rule in ("score", "check"):
                self._refuse_lost_oracles(step.wildcards["method"])

    def _refuse_unfilled(self, method: str) -> None:
        """Stop before the first job where a method that is asked for could not be called."""
        missing = self.plan.method(method).unfilled
        if missing:
            told = unfillable(missing, f"method {method}", f"methods.{method}")
            raise RefusalError(f"{told} To run the others without it, put {method} under skip.")

    def is_foreign(self, path: str, step: Step) -> bool:
        """Whether nobody here made a stale file, or it lies in the place of another.

        Where Snakemake's records say that this very file was made with another key, it may be made anew. What is
        computed from other files of the folder may always be, unless it took the place of what was made here.
        """
        key, params = self.folder.key(path), self.recorded(path)
        if key in (step.origin.key, PARTIAL):
            return False
        return not step.derived if params is None else repr(step.origin.key) in params

    def _foreign(self, path: str, state: State) -> str:
        return (
            f"{self.shown(path)} was made from something else than this run needs, and not by a run that "
            f"Snakemake has recorded here. Found -> needed: {state.text}. Nothing was changed. Set back what differs, "
            "name another results folder (results: ...), or delete the file to have it made anew. `make doctor` lists "
            "every file that does not fit."
        )

    def _older(self, paths: list[str]) -> str:
        return (
            f"{len(paths)} files of {self.folder.path} were written by an older version of this project, whose results "
            f"are not read any more: {self.shown(paths[0])} is the first. Nothing was changed. Name another results "
            "folder (results: ...) to keep them, or delete them to have them made anew."
        )

    def _refuse_lost(self, current: list[str]) -> None:
        for lost, behind in kept(self.plan).items():
            made = [path for path in current if path.startswith(behind)]
            step = self.plan.maker(lost)
            assert step is not None
            if made and not self.forced(step) and self.folder.state(lost, step.origin).kind == "absent":
                raise RefusalError(
                    f"{self.shown(lost)} is missing, and {self.shown(made[0])}, which was made from it, is there. Made "
                    "within a run, it would have everything behind it made again. Make it alone first, then run again: "
                    f"snakemake --force {self.shown(lost)}{self.options}"
                )

    def _refuse_lost_oracles(self, method: str) -> None:
        """Stop if a method needs retrained models that were deleted once their outputs were dumped.

        Snakemake would train all of them again for the sake of one method.
        """
        plan = self.plan
        if (plan.config.keep_checkpoints and self.bank is None) or not plan.method(method).needs_oracle:
            return

        def is_done(path: str, origin: Origin) -> bool:
            step = plan.maker(path)
            return step is not None and not self.forced(step) and bool(self.folder.state(path, origin))

        lost = [
            self.shown(models)
            for group, oracles in zip(plan.copy_groups(method), plan.copy_groups(ORACLE_METHOD), strict=True)
            for dump, oracle_dump, models in zip(
                plan.dump_files(group), plan.dump_files(oracles), plan.model_files(oracles), strict=True
            )
            if (self.bank is not None or is_done(oracle_dump, plan.dump_origin(oracles)))
            and self.folder.state(models, plan.models_origin(oracles)).kind == "absent"
            and not is_done(dump, plan.dump_origin(group))
        ]
        if lost and self.bank is not None:
            raise RefusalError(
                f"method {method} asks for oracle_model, models of {ORACLE_METHOD}, and a bank has none: "
                f"{self.bank.name} holds outputs of retrained models. Put {method} under skip. Or train them here, "
                f"{len(plan.shards)} jobs of {retraining_cost(self.bank, plan.config.copies)}, then run again: "
                f"snakemake {' '.join(lost)}{self.options}"
            )
        if lost:
            raise RefusalError(
                f"method {method} asks for oracle_model, and {lost[0]} is gone: keep_checkpoints is false, and the "
                f"models of {ORACLE_METHOD} were deleted once their outputs were dumped. To score {method}, set "
                f"keep_checkpoints: true, have them trained anew and nothing else, then run again: snakemake "
                f"{' '.join(lost)}{self.options}   Or put {method} under skip."
            )


def kept(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Files that are never temporary, since all else is made from them -> how the paths behind them begin."""
    # An original that was trained elsewhere saw another split, if any.
    full = () if plan.config.original is not None else ("models/full/",)
    behind_split = (*full, "models/retain/", "models/unlearn/", "losses/")
    difficulty = {DIFFICULTY: (SPLIT, *behind_split)} if plan.needs_difficulty else {}
    copies: dict[str, list[str]] = {path: [] for path in plan.model_files("full")}
    groups = (group for name in plan.methods for group in plan.copy_groups(name) if not plan.is_imported(group))
    for path in (path for group in groups for path in plan.model_files(group)):
        step = plan.maker(path)
        # An original that an experiment gets later has nothing behind it yet.
        for original in copies.keys() & set(step.reads() if step else ()):
            copies[original].append(path)
    originals = {
        path: (path.replace("models/", "losses/").replace("safetensors", "parquet"), *behind)
        for path, behind in copies.items()
    }
    return {DATASET: (SPLIT, "models/", "losses/"), SPLIT: behind_split, **difficulty, **originals}


def refuse_other_shard_sizes(plan: Plan, results: str) -> None:
    """A changed shard_size would train everything again under other names: say so before that costs days.

    Raises
    ------
    RefusalError
        Names one such file.
    """
    wrong = plan.other_shard_sizes(results)
    if wrong:
        raise RefusalError(
            f"shard_size is {plan.config.shard_size}, but {results} holds {len(wrong)} files of another one, such as "
            f"{wrong[0]}. Nothing was changed. Set shard_size back to keep them, name another results folder "
            "(results: ...) to start afresh, or delete them."
        )
