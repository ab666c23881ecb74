"""Everything that figures and page show, read once from a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.report.summaries import ROOM, shown_places, utility_interval
from unlearning_metric.store.files import is_there, read_document, read_npz, read_parquet
from unlearning_metric.store.stored import Stored, StoredFiles


@dataclass(frozen=True)
class Example:
    """One forget example under one method.

    Attributes
    ----------
    kind : "best", "median" or "worst" forgotten
    index, label, epsilon : of the per-example table
    retrained, unlearned : float64 [models], confidence
    """

    kind: str
    index: int
    label: int
    epsilon: float
    retrained: np.ndarray
    unlearned: np.ndarray


@dataclass(frozen=True)
class Method:
    """One scored method.

    Attributes
    ----------
    name, row : of the leaderboard
    document : the score document
    samples : the per-example table
    examples : best, median and worst forgotten; none without outputs
    utility : product of retain and test accuracy ratio, and its 95 % interval (None, None without outputs); None
        where not recorded
    seconds : what all copies took together; None where not recorded
    time : what the leaderboard's ratio of times may be on this machine; None where the document does not tell
    """

    name: str
    row: Mapping[str, Any]
    document: Mapping[str, Any]
    samples: pd.DataFrame
    examples: list[Example]
    utility: tuple[float, float | None, float | None] | None
    seconds: float | None
    time: tuple[float, float] | None = None


@dataclass(frozen=True)
class Laws:
    """Confidences of the examples that a reader of the page may attack: all, or as many as the page has room for.

    Attributes
    ----------
    places : int [shown], rows of the per-example tables
    retrained : float64 [models, shown]
    unlearned : method -> float64 [models, shown]
    """

    places: np.ndarray
    retrained: np.ndarray
    unlearned: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Findings:
    """What a run found.

    Attributes
    ----------
    rows : the leaderboard's rows, in order
    reasons : method -> why it has no score
    methods : the scored ones, in the order of the rows
    laws : confidences of the examples that are shown
    images : example -> uint8 [height, width, channels], of every example that is shown; none where the data are no
        images
    seconds : group -> seconds of all its models; disk : folder -> bytes
    classes : what the source calls class 0, 1, ...; empty where it is not known
    pairs : of the leaderboard, how each two ranked methods compare
    bank : title, name and sha256 of the bank that the scores were made with
    pool : key of the data set, by which examples are numbered; empty where it is not known
    """

    rows: list[Mapping[str, Any]]
    reasons: Mapping[str, str]
    methods: list[Method]
    laws: Laws
    images: Mapping[int, np.ndarray]
    seconds: Mapping[str, float] = field(default_factory=dict)
    disk: Mapping[str, int] = field(default_factory=dict)
    classes: Sequence[str] = ()
    pairs: Sequence[Mapping[str, Any]] = ()
    bank: Mapping[str, str] | None = None
    pool: str = ""

    def class_text(self, label: int) -> str:
        """What the data call a class; its number where that is not known."""
        return (self.classes[label] if 0 <= label < len(self.classes) else "") or str(label)

    @property
    def first(self) -> Mapping[str, Any]:
        """A score document; what was run and the ceiling are the same in all of them."""
        return self.methods[0].document


def gather(
    results: Path | str,
    dumps: Mapping[str, StoredFiles],
    score_keys: Mapping[str, str],
    dataset: Stored,
    board_key: str | None = None,
    room: int = ROOM,
    original: int = 0,
) -> Findings:
    """Read what a report shows; of the dumps only one method's at a time.

    Parameters
    ----------
    results : folder with the leaderboard, the score documents and the per-example tables
    dumps : group of models (``retain``, ``unlearn/<method>``, ``unlearn/<method>/original_0001``) -> its dumps.
        Without any there are no confidences to show
    score_keys : method -> key of its score
    dataset : the data set; without the file there are no pictures
    board_key : key of the leaderboard; None to take it as it is
    room : bytes of confidences
    original : which original's copies show the examples

    Raises
    ------
    StoreError
        If a file is damaged or of another key.
    """
    results = Path(results)
    board = read_document(results / "leaderboard.json", board_key)
    rows = [row for row in board["rows"] if row["method"] in score_keys and row["status"] in ("scored", "excluded")]
    tables = {row["method"]: _samples_of(results, row["method"], score_keys[row["method"]], original) for row in rows}
    documents = {name: read_document(results / f"score_{name}.json", score_keys[name]) for name in tables}
    retrained = None
    if dumps:
        retrained = load_ensemble(*dumps["retain"], _models(dumps["retain"].paths), ("forget",))
    places = shown_places(list(tables.values()), 0 if retrained is None else len(retrained), room)
    unlearned, methods = {}, []
    for row in rows:
        name = row["method"]
        sides = [] if retrained is None else _copies(f"unlearn/{name}", dumps, len(retrained))
        if sides:
            unlearned[name] = sides[original].forget.saturated[:, places]
        methods.append(_method(row, documents[name], tables[name], retrained, sides))
    seconds = {} if retrained is None else {"retrained models": float(retrained.seconds.sum())}
    if any(method.seconds is not None for method in methods):
        seconds["unlearned copies"] = sum(method.seconds or 0.0 for method in methods)
    shown = methods[0].samples["example"].to_numpy()[places].tolist() if methods else []
    data, header = read_npz(*dataset) if is_there(Path(dataset.path)) else ({}, {})
    pictures = {index: image_of(data["x_train"][index]) for index in shown if data}
    return Findings(
        rows=board["rows"],
        reasons=board["reasons"],
        methods=methods,
        laws=Laws(places, np.empty((0, 0)) if retrained is None else retrained.forget.saturated[:, places], unlearned),
        images={index: image for index, image in pictures.items() if image is not None},
        seconds=seconds,
        disk={name: _bytes(results / name) for name in ("data", "models", "losses") if (results / name).is_dir()},
        classes=header.get("classes", ()),
        pairs=board["pairs"],
        bank=board.get("bank"),
        pool=header.get("key", ""),
    )


def _copies(group: str, dumps: Mapping[str, StoredFiles], models: int) -> list[Ensemble]:
    """A method's copies, from the first original and from each of the others."""
    groups = [group, *(other for other in dumps if other.startswith(f"{group}/"))]
    return [load_ensemble(*dumps[name], models, ("forget",)) for name in groups]


def _method(
    row: Mapping[str, Any],
    document: Mapping[str, Any],
    samples: pd.DataFrame,
    retrained: Ensemble | None,
    sides: Sequence[Ensemble],
) -> Method:
    if retrained is None:
        ratios = [document["utility"][name]["ratio"] for name in ("retain", "test")]
        utility = None if None in ratios else (ratios[0] * ratios[1], None, None)
        time = _pair(document["efficiency"].get("ratio_interval"))
        return Method(row["method"], row, document, samples, [], utility, None, time)
    everything = _together(sides)
    return Method(
        name=row["method"],
        row=row,
        document=document,
        samples=samples,
        examples=_examples(samples, retrained, sides[0]),
        utility=utility_interval(retrained, everything),
        seconds=float(everything.seconds.sum()) if everything.seconds.size else None,
        time=_pair(document["efficiency"].get("ratio_interval")),
    )


def _samples_of(results: Path, method: str, key: str | None, original: int) -> pd.DataFrame:
    """The per-example table of a method; an example is shown by the copies from one original."""
    samples, _ = read_parquet(results / f"samples_{method}.parquet", key)
    return samples[samples["original"] == original].reset_index(drop=True) if "original" in samples else samples


def image_of(example: np.ndarray) -> np.ndarray | None:
    """An example as uint8 [height, width, channels], floats from their smallest to their largest; None for no image.

    Bytes of three axes are an image whatever their channels are, since `data.images` takes nothing else; of floats,
    which may be anything, only those with the one, three or four channels that images have.
    """
    if example.ndim != 3:
        return None
    if example.dtype == np.uint8:
        return example
    if example.shape[2] not in (1, 3, 4):
        return None
    low, high = float(example.min()), float(example.max())
    return np.round((example.astype(np.float64) - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)


def _together(sides: Sequence[Ensemble]) -> Ensemble:
    """The first ensemble, with the accuracies and seconds of the models of all of them."""
    if len(sides) == 1:
        return sides[0]
    return replace(
        sides[0],
        models=np.arange(sum(len(side) for side in sides)),
        accuracy={name: np.concatenate([side.accuracy[name] for side in sides]) for name in sides[0].accuracy},
        seconds=np.concatenate([side.seconds for side in sides]),
    )


def _models(paths: list[str]) -> int:
    from unlearning_metric.store.shards import shard_models

    return sum(len(shard_models(Path(path).stem)) for path in paths)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _examples(samples: pd.DataFrame, retrained: Ensemble, copies: Ensemble) -> list[Example]:
    """The best, the median and the worst forgotten example; undefined ones come last."""
    epsilons = samples["epsilon"].fillna(np.inf).to_numpy()
    order = np.argsort(epsilons, kind="stable")
    places = dict(zip(("best", "median", "worst"), (order[0], order[len(order) // 2], order[-1]), strict=True))
    return [
        Example(
            kind=kind,
            index=int(samples["example"].iloc[place]),
            label=int(samples["label"].iloc[place]),
            epsilon=float(samples["epsilon"].iloc[place]),
            retrained=retrained.forget.saturated[:, place],
            unlearned=copies.forget.saturated[:, place],
        )
        for kind, place in places.items()
    ]


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])
