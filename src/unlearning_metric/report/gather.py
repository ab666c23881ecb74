"""Everything that figures and page show, read once from a results folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from unlearning_metric.metrics.table import METRICS
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.store.files import read_document, read_npz, read_parquet

#: How many of the forget examples that all methods forget badly are shown by themselves.
HARDEST = 6
#: Bytes of confidences on a page: what a page of 5 MB has room for.
ROOM = 2_200_000


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
    examples : best, median and worst forgotten
    utility : product of retain and test accuracy ratio, and its 95 % interval; None where not recorded
    seconds : what all copies took together; None where not recorded
    time : what the leaderboard's ratio of times may be on this machine; None where the document does not tell
    """

    name: str
    row: Mapping[str, Any]
    document: Mapping[str, Any]
    samples: pd.DataFrame
    examples: list[Example]
    utility: tuple[float, float, float] | None
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

    def class_text(self, label: int) -> str:
        """What the data call a class; its number where that is not known."""
        return (self.classes[label] if 0 <= label < len(self.classes) else "") or str(label)

    @property
    def first(self) -> Mapping[str, Any]:
        """A score document; what was run and the ceiling are the same in all of them."""
        return self.methods[0].document


def gather(
    results: Path | str,
    dumps: Mapping[str, list[str]],
    keys: Mapping[str, str],
    score_keys: Mapping[str, str],
    dataset: Path | str,
    dataset_key: str,
    board_key: str | None = None,
) -> Findings:
    """Read what a report shows; of the dumps only one method's at a time.

    Parameters
    ----------
    results : folder with the leaderboard, the score documents and the per-example tables
    dumps, keys : group of models (``retain``, ``unlearn/<method>``, ``unlearn/<method>/original_0001``) -> its
        dumps, and the key they must carry
    score_keys : method -> key of its score
    dataset, dataset_key : the data set, and its key
    board_key : key of the leaderboard; None to take it as it is

    Raises
    ------
    StoreError
        If a file is damaged or of another key.
    """
    results = Path(results)
    board = read_document(results / "leaderboard.json", board_key)
    retrained = load_ensemble(dumps["retain"], keys["retain"], _models(dumps["retain"]), ("forget",))
    seconds = {"retrained models": float(retrained.seconds.sum())}
    rows = [row for row in board["rows"] if row["method"] in score_keys and row["status"] in ("scored", "excluded")]
    tables = {row["method"]: _samples_of(results, row["method"], score_keys[row["method"]]) for row in rows}
    places = shown_places(list(tables.values()), len(retrained))
    unlearned, methods = {}, []
    for row in rows:
        name = row["method"]
        group = f"unlearn/{name}"
        copies = load_ensemble(dumps[group], keys[group], len(retrained), ("forget",))
        others = [
            load_ensemble(paths, keys[other], len(retrained), ("forget",))
            for other, paths in dumps.items()
            if other.startswith(f"{group}/")
        ]
        everything = _together([copies, *others])
        method_document = read_document(results / f"score_{name}.json", score_keys[name])
        unlearned[name] = copies.forget.saturated[:, places]
        methods.append(
            Method(
                name=name,
                row=row,
                document=method_document,
                samples=tables[name],
                examples=_examples(tables[name], retrained, copies),
                utility=utility_interval(retrained, everything),
                seconds=float(everything.seconds.sum()) if everything.seconds.size else None,
                time=_pair(method_document["efficiency"].get("ratio_interval")),
            )
        )
    if any(method.seconds is not None for method in methods):
        seconds["unlearned copies"] = sum(method.seconds or 0.0 for method in methods)
    shown = methods[0].samples["example"].to_numpy()[places].tolist() if methods else []
    data, header = read_npz(dataset, dataset_key)
    pictures = {index: image_of(data["x_train"][index]) for index in shown}
    return Findings(
        rows=board["rows"],
        reasons=board["reasons"],
        methods=methods,
        laws=Laws(places, retrained.forget.saturated[:, places], unlearned),
        images={index: image for index, image in pictures.items() if image is not None},
        seconds=seconds,
        disk={name: _bytes(results / name) for name in ("data", "models", "losses") if (results / name).is_dir()},
        classes=header.get("classes", ()),
        pairs=board["pairs"],
        bank=board.get("bank"),
    )


def _samples_of(results: Path, method: str, key: str | None) -> pd.DataFrame:
    """The per-example table of a method; an example is shown by the copies from the first original."""
    samples, _ = read_parquet(results / f"samples_{method}.parquet", key)
    return samples[samples["original"] == 0].reset_index(drop=True) if "original" in samples else samples


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


def utility_interval(retrained: Ensemble, unlearned: Ensemble) -> tuple[float, float, float] | None:
    """Product of retain and test accuracy ratio with its 95 % interval over models; None where not recorded.

    The interval is that of a product of ratios of means to first order: each side's models contribute the sum of their
    relative deviations.
    """
    value, variance = 1.0, 0.0
    for side, sign in ((unlearned, 1), (retrained, -1)):
        if not {"retain", "test"} <= side.accuracy.keys():
            return None
        means = {name: float(side.accuracy[name].mean()) for name in ("retain", "test")}
        if min(means.values()) <= 0.0 and sign < 0:
            return None
        value *= (means["retain"] * means["test"]) ** sign
        if min(means.values()) > 0.0 and len(side) > 1:
            relative = sum(side.accuracy[name] / means[name] for name in means)
            variance += float(relative.var(ddof=1)) / len(side)
    half = 1.96 * value * variance**0.5
    return value, value - half, value + half


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def shown_places(tables: Sequence[pd.DataFrame], models: int, room: int = ROOM) -> np.ndarray:
    """Rows, int [shown], ascending, of the examples whose confidences a page has room for; all where it has.

    Of too many, the hardest are taken, and the rest evenly from the least to the most telling.

    Parameters
    ----------
    tables : the per-example table of each method
    models : of a side
    room : bytes
    """
    if not tables:
        return np.empty(0, dtype=np.int64)
    examples, fit = len(tables[0]), room // ((len(tables) + 1) * models * 8)
    if fit >= examples:
        return np.arange(examples)
    fit = max(fit, 3)
    by_epsilon = np.argsort(median_epsilons(tables), kind="stable")
    hard = min(HARDEST, fit // 2)
    evenly = np.linspace(0, examples - 1 - hard, fit - hard).round().astype(int)
    return np.sort(np.concatenate([by_epsilon[examples - hard :], by_epsilon[evenly]]))


def median_epsilons(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    """Median epsilon over the methods, float64 [examples]; an undefined one counts as the largest."""
    return np.median([table["epsilon"].fillna(50.0).to_numpy() for table in tables], axis=0)


def epsilon_matrix(methods: list[Method]) -> pd.DataFrame:
    """Epsilon of each method (rows) on each forget example (columns, easiest first by the retrained models' loss)."""
    first = methods[0].samples
    order = np.argsort(first["retrained_loss"].to_numpy(), kind="stable")
    return pd.DataFrame(
        [method.samples["epsilon"].to_numpy()[order] for method in methods],
        index=[method.name for method in methods],
        columns=first["example"].to_numpy()[order],
    )


def hardest(methods: list[Method], count: int = HARDEST) -> pd.DataFrame:
    """The forget examples with the largest median epsilon over the methods: example, label, epsilon."""
    first = methods[0].samples
    medians = median_epsilons([method.samples for method in methods])
    table = pd.DataFrame({"example": first["example"], "label": first["label"], "epsilon": medians})
    return table.sort_values(["epsilon", "example"], ascending=[False, True]).head(count)


def rank_agreement(methods: list[Method]) -> pd.DataFrame:
    """Spearman correlation of the methods' ranks under each pair of metrics; NaN below 3 methods with both."""
    values = {"challenge": [method.document["challenge"]["forgetting_score"] for method in methods]}
    for metric in METRICS.values():
        found = [metric.goodness(method.document) for method in methods]
        values[metric.title] = [math.nan if value is None else value for value in found]
    return pd.DataFrame(values).corr(method="spearman", min_periods=3)
