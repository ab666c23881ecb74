"""The first screen of the page: which method stands first, and the board with bars between floor and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from unlearning_metric.leaderboard.escape import as_html
from unlearning_metric.leaderboard.formats import data_text, originals_text, rank_text
from unlearning_metric.leaderboard.tables import status
from unlearning_metric.report.gather import Findings, Method

_ABSENT = "-"
#: The method whose copies are retrained models: it checks the ceiling, and forgets as the ceiling does.
CHECK = "retrain"
#: A smaller share of a retraining is not told in digits.
LEAST_TIME = 0.001


def rounded(value: float | None) -> str:
    """A number to two significant digits; a dash for none."""
    if value is None:
        return _ABSENT
    if value == 0:
        return "0"
    return f"{value:#.2g}".rstrip(".") if 1e-4 <= abs(value) < 1e3 else f"{value:.2g}"


def ranged(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval, to two significant digits."""
    return rounded(value) if low is None else f"{rounded(value)} [{rounded(low)}, {rounded(high)}]"


def percent(value: float) -> str:
    """A share in per cent, to two significant digits, or whole."""
    return f"{100 * value:.0f} %" if abs(value) >= 0.1 else f"{rounded(100 * value)} %"


def setting_line(document: Mapping[str, Any]) -> str:
    """Data, net, N and forget set, in a line."""
    forget = document["forget"]
    return (
        f"{data_text(document)} · {document['model']} · N = {document['copies']} models a side · "
        f"{forget['size']} forget examples ({forget['strategy']}) · {originals_text(document)}"
    )


def answer(found: Findings) -> list[str]:
    """Which method scores best, how far from the ceiling, and which ranks that leaves open: sentences."""
    ranked = [row for row in found.rows if row["rank"] is not None and row.get("final_score") is not None]
    compared = [row for row in ranked if row["method"] != CHECK]
    if not ranked:
        return ["No method has a final score."]
    if not compared:
        return [f"Only {CHECK} is scored, which checks the ceiling: retrained models against retrained models."]
    best = compared[0]
    final = ranged(best["final_score"], best.get("final_score_low"), best.get("final_score_high"))
    # Not "forgets best": others may not be told apart, and the final score weighs accuracies as well.
    sentences = [f"{best['method']} has the best final score: {final}{_of_ceiling(best)}."]
    if best is not ranked[0]:
        sentences.append(
            f"Above it stands {CHECK}, a second set of retrained models, which checks the ceiling and has nothing to "
            "forget."
        )
    return sentences + _ranks(best, found)


def _of_ceiling(row: Mapping[str, Any]) -> str:
    if row.get("relative") is None:
        return ""
    interval = ""
    if row.get("relative_low") is not None:
        interval = f" [{percent(row['relative_low'])}, {percent(row['relative_high'])}]"
    return (
        f"; its forgetting score is {percent(row['relative'])}{interval} of the ceiling, about what perfect unlearning "
        "gets"
    )


def _ranks(best: Mapping[str, Any], found: Findings) -> list[str]:
    if best.get("rank_low") is None:
        return []
    name = best["method"]
    tied = [
        pair["second"] if pair["first"] == name else pair["first"]
        for pair in found.pairs
        if name in (pair["first"], pair["second"]) and not pair["told_apart"]
    ]
    if not tied:
        return [f"It is told apart from every other method: rank {rank_text(best)}."]
    more = f" and {len(tied) - 3} more" if len(tied) > 3 else ""
    return [f"Its rank may be {rank_text(best)}: it is not told apart from {', '.join(tied[:3])}{more}."]


def tie_groups(methods: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Method -> letters; methods that share a letter are not told apart. Empty where none were compared.

    A group is a longest run of the ranking within which no pair is told apart.
    """
    apart = {frozenset((pair["first"], pair["second"])) for pair in pairs if pair["told_apart"]}
    if not pairs:
        return {}
    runs, reached, stop = [], 0, 0
    for start in range(len(methods)):
        stop = max(stop, start + 1)
        while stop < len(methods) and not any(
            frozenset((methods[place], methods[stop])) in apart for place in range(start, stop)
        ):
            stop += 1
        # A run within the one before says nothing new.
        if stop > reached:
            runs.append((start, stop))
            reached = stop
    return {
        name: " ".join(_letter(number) for number, (start, end) in enumerate(runs) if start <= place < end)
        for place, name in enumerate(methods)
    }


def _letter(number: int) -> str:
    """a to z, then aa, ab, ..."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def board_html(found: Findings) -> Markup:
    """The board: rank, method, final score as a bar between floor and ceiling, share of the ceiling, time."""
    challenge = found.first["challenge"]
    scored = {method.name: method for method in found.methods}
    ranked = [row["method"] for row in found.rows if row["rank"] is not None]
    groups = tie_groups(ranked, found.pairs)
    ceiling, floor = challenge["ceiling"], challenge["floor"]
    tops = [row.get(name) for row in found.rows for name in ("final_score", "final_score_high")]
    top = 1.02 * max([0.0, *(value for value in (*tops, ceiling, floor) if value is not None)]) or 1.0
    marks = [value / top for value in (floor, ceiling) if value is not None]
    body = "".join(_row(row, groups.get(row["method"]), top, marks, scored.get(row["method"])) for row in found.rows)
    between = (challenge["interval"]["ceiling"] or {}).get("models", (None, None))
    body = _reference("ceiling: retrained", ceiling, between, top, marks, bool(groups)) + body
    body += _reference("floor: original", floor, (None, None), top, marks, bool(groups))
    heads = ["rank", *(["tied"] if groups else []), "method", "final score", "of the ceiling", "time"]
    classes = {"tied": "left", "method": "left", "final score": "left", "of the ceiling": "share"}
    cells = "".join(f'<th scope="col" class="{classes.get(head, "")}">{head}</th>' for head in heads)
    return Markup(
        f'<table class="board{" tied" if groups else ""}"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'
    )


def _row(row: Mapping[str, Any], group: str | None, top: float, marks: Sequence[float], method: Method | None) -> str:
    score, low, high = (row.get(f"final_score{end}") for end in ("", "_low", "_high"))
    said = status(row)
    note = "" if said == "scored" else f'<span class="range">{as_html(said)}</span>'
    tied = "" if group is None else f'<td class="left group">{as_html(group)}</td>'
    relative = _ABSENT if row.get("relative") is None else percent(row["relative"])
    if row.get("relative_low") is not None:
        relative += f'<span class="range">{percent(row["relative_low"])} to {percent(row["relative_high"])}</span>'
    time = _time(row.get("time_ratio"), None if method is None else method.time)
    return (
        f'<tr><td>{rank_text(row)}</td>{tied}<th scope="row">{as_html(row["method"])}{note}</th>'
        f'<td class="left score">{bar_html(score, low, high, top, marks)}{_with_range(score, low, high)}</td>'
        f'<td class="share">{relative}</td><td>{time}</td></tr>'
    )


def _time(ratio: float | None, interval: tuple[float, float] | None) -> str:
    """A time in units of one retraining; of one that is next to nothing the digits are noise."""
    if ratio is not None and ratio < LEAST_TIME:
        return f"&lt; {LEAST_TIME}"
    between = "" if interval is None else f'<span class="range">{rounded(interval[0])} to {rounded(interval[1])}</span>'
    return rounded(ratio) + between


def _with_range(score: float | None, low: float | None, high: float | None) -> str:
    between = "" if low is None else f' <span class="range">{rounded(low)} to {rounded(high)}</span>'
    return f'<span class="number">{rounded(score)}{between}</span>'


def _reference(
    name: str, value: float | None, interval: Sequence[float | None], top: float, marks: Sequence[float], tied: bool
) -> str:
    low, high = interval
    return (
        f'<tr class="reference"><td></td>{"<td></td>" if tied else ""}<th scope="row">{name}</th>'
        f'<td class="left score">{bar_html(value, low, high, top, marks)}{_with_range(value, low, high)}</td>'
        f'<td class="share">{"100 %" if value and name.startswith("ceiling") else ""}</td><td></td></tr>'
    )


def bar_html(value: float | None, low: float | None, high: float | None, top: float, marks: Sequence[float]) -> str:
    """A bar up to the score, its interval as a line, floor and ceiling as marks. The number stands beside it."""
    if value is None:
        return ""
    lines = "".join(f'<path class="mark" d="M{100 * mark:.1f} 0V12"/>' for mark in marks)
    interval = "" if low is None else f'<path class="interval" d="M{100 * low / top:.1f} 6H{100 * high / top:.1f}"/>'
    return (
        '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect y="2" height="8" width="{100 * max(value, 0) / top:.1f}"/>{lines}{interval}</svg>'
    )
