"""``bank.json``: what a bank says of itself; and the bank that a results folder was opened from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unlearning_metric.bank.problems import BankError
from unlearning_metric.keys.versions import VERSIONS
from unlearning_metric.store.files import StoreError, write_json
from unlearning_metric.store.opening import read_text

#: Format of the banks that this package writes, and the only one that it reads.
FORMAT = 1
#: Path of the record within a bank's payload, and within a results folder.
RECORD = "results/bank.json"
IN_RESULTS = "bank.json"
CONFIGURATION = "config.yaml"
#: Where a bank keeps arrays of models trained elsewhere, and which.
SIDES = ("retrained", "originals", "ceiling")
#: What the payload of a bank may hold besides record and configuration: outputs and models, never code.
_FILE = re.compile(
    r"results/data/(dataset|difficulty|split)\.npz"
    r"|results/models/full/[0-9]+-[0-9]+\.safetensors"
    r"|results/losses/(full|retain|unlearn/retrain)/[0-9]+-[0-9]+\.parquet"
    rf"|arrays/({'|'.join(SIDES)})\.npz"
)
#: A list of examples that the configuration names.
FORGET_LIST = re.compile(r"inputs/[A-Za-z0-9_-]+\.(npy|npz|csv|txt|pt|json)")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Need(_Strict):
    """A file of the maker's that the configuration names and the bank does not hold: code, images, a checkpoint."""

    key: str
    name: str
    fingerprint: str


class File(_Strict):
    """A file of results in a bank: ``key`` in its header, and ``identity`` of its content."""

    key: str
    identity: str | None


class Record(_Strict):
    """What a bank says of itself.

    Attributes
    ----------
    format : of the bank
    kind : ``results``, opened as a results folder; ``arrays``, outputs of models trained elsewhere
    title, licence, citation : in the maker's words
    package, versions, code : of the package that made it: release, step -> version, fingerprint
    made : date
    copies, originals, shard_size : numbers of models
    settings : of the scores that it gives: the slice of the configuration that can change them
    seconds : median of training one of the retrained models anew; None where that is not known
    machine : system, device and the like on which they were trained
    accuracy : side -> set -> mean share of right answers
    ceiling : ``score``, ``source`` and, where there are models enough, ``interval`` (95 %, over the models)
    files : path within the payload -> what it is
    keys : side of a score -> key of its outputs; none for arrays
    data : ``key`` and ``identity`` of the data set, and whether it is ``included``; none for arrays
    needs : what else a user has to have
    """

    format: int
    kind: Literal["results", "arrays"]
    title: str = Field(max_length=200)
    licence: str = Field(max_length=1000)
    citation: str = Field(max_length=4000)
    package: str
    versions: dict[str, int]
    code: str
    made: str
    copies: int = Field(ge=4, le=1_000_000)
    originals: int = Field(ge=0, le=1_000_000)
    shard_size: int | None
    settings: dict[str, Any]
    seconds: float | None
    machine: dict[str, Any]
    accuracy: dict[str, dict[str, float]]
    ceiling: dict[str, Any] | None
    files: dict[str, File]
    keys: dict[str, str]
    data: dict[str, Any] | None
    needs: list[Need]


def parse_record(text: str, source: str) -> Record:
    """A record from its text.

    Raises
    ------
    BankError
        If it is another format, of steps whose versions this package does not have, or no record at all.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BankError(f"{source} is no JSON ({error}).") from error
    found = raw.get("format") if isinstance(raw, dict) else None
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise BankError(
            f"{source} is of format {found!r}, this package reads format {FORMAT}. "
            + ("Install a newer unlearning-metric." if newer else "Have the bank made again by `bank make`.")
        )
    try:
        record = Record.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BankError(f"{source} does not say what a bank says: {where}: {first['msg']}.") from error
    if foreign := [name for name in record.files if _FILE.fullmatch(name) is None]:
        raise BankError(f"{source} names the file {foreign[0]!r}, which no bank holds.")
    _check_versions(record, source)
    return record


def _check_versions(record: Record, source: str) -> None:
    for step, number in sorted(record.versions.items()):
        known = VERSIONS.get(step)
        if known is None or known.number != number:
            have = "does not have that step" if known is None else f"has version {known.number} ({known.change})"
            raise BankError(
                f"{source}: its files were made by version {number} of the step {step}, this package {have}: scores "
                f"against them would not be comparable with what is made here. Install unlearning-metric "
                f"{record.package}, which made it, or get a newer edition of the bank."
            )


@dataclass(frozen=True)
class Opened:
    """The bank that a results folder was opened from, or that a score was made with.

    Attributes
    ----------
    record : what it says of itself
    name, sha256 : of its file
    """

    record: Record
    name: str
    sha256: str

    @property
    def label(self) -> dict[str, str]:
        """What results that were made with it say of it."""
        return {"name": self.name, "title": self.record.title, "sha256": self.sha256}

    @property
    def line(self) -> str:
        """The same as a sentence, with what it means for times."""
        return f"{bank_sentence(self.label)} {self.times}".rstrip()

    @property
    def times(self) -> str:
        """On what machine the times of retraining were measured."""
        if self.record.seconds is None:
            return ""
        return (
            f"Where no retraining was measured beside the copies, times are shares of the {self.record.seconds:.3g} s "
            "that a retraining took on the machine that made the "
            f"bank ({self.record.machine.get('system', 'unknown')}), which may not be this one."
        )

    def of_file(self, path: str) -> File | None:
        """What the bank says of a file of the results folder; None where it does not hold it."""
        return self.record.files.get(f"results/{path}")


def bank_sentence(label: Mapping[str, str]) -> str:
    """How a leaderboard names the bank that it was made with."""
    return f"Retrained models: bank {label['title']} ({label['name']}, sha256 {label['sha256']})."


def write_opened(results: Path, opened: Opened) -> None:
    """Keep in a folder with which bank its results were made."""
    record = opened.record.model_dump(mode="json")
    write_json(results / IN_RESULTS, {"record": record, "name": opened.name, "sha256": opened.sha256})


def opened_bank(results: Path | str) -> Opened | None:
    """The bank that a results folder was opened from; None where it was not.

    Raises
    ------
    BankError
        If the record cannot be read.
    """
    path = Path(results, IN_RESULTS)
    if not path.exists():
        return None
    advice = f"Open the bank again. Or delete {path} to go on without the bank: what is missing is then trained here."
    try:
        raw = json.loads(read_text(path))
        name, sha256, record = str(raw["name"]), str(raw["sha256"]), json.dumps(raw["record"])
    except (StoreError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BankError(f"{path} cannot be read ({type(error).__name__}: {error}). {advice}") from error
    try:
        return Opened(parse_record(record, str(path)), name, sha256)
    except BankError as error:
        raise BankError(f"{error} {advice}") from error
