"""Stores the numbers of the steps anew: `make pin`, or `python tests/pins/pin.py train unlearn` for some steps.

A step whose numbers moved is stored only once its version was raised. A number that is the same but for rounding keeps
its stored digits.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from pin_cases import CASES, FOLLOWS
from pin_numbers import STORED, moved, read, record
from pin_steps import run

from unlearning_metric.keys.versions import VERSIONS


def main(steps: list[str]) -> int:
    """Exit status: 1 where a version is to be raised first. No steps: all of them."""
    stored, pinned, refused = read(), {}, []
    raised = {step for step in CASES if stored.get(step, {}).get("version") != VERSIONS[step].number}
    for step, cases in CASES.items():
        if steps and step not in steps and step in stored:
            pinned[step] = stored[step]
            continue
        before = stored.get(step, {}).get("cases", {})
        pinned[step] = {"version": VERSIONS[step].number, "cases": {}}
        for case in cases:
            with tempfile.TemporaryDirectory() as folder:
                found = record(run(step, case, Path(folder)))
            known = before.get(case, {})
            other = [name for name in moved(known, found) if name in found]
            if other and step not in raised and FOLLOWS.get(step) not in raised:
                refused.append(f"{step}, {case}: {', '.join(other[:5])}")
            kept = {name: known[name] for name in found if name in known and name not in other}
            pinned[step]["cases"][case] = {**found, **kept}
    if refused:
        steps = sorted({line.partition(",")[0] for line in refused}, key=list(CASES).index)
        print("\n".join(["Numbers moved, and the versions of their steps did not rise:", *refused]), file=sys.stderr)
        print(
            f"Raise the version of {', '.join(steps)} in keys/versions.py first. Nothing was stored.", file=sys.stderr
        )
        return 1
    STORED.write_text(_text(pinned), encoding="utf-8")
    print(f"Stored {sum(map(len, CASES.values()))} cases in {STORED}")
    return 0


def _text(pinned: dict) -> str:
    """JSON with a line for each value, so that a difference is read."""
    lines = ["{"]
    for step, parts in pinned.items():
        lines.append(f'{json.dumps(step)}: {{"version": {parts["version"]}, "cases": {{')
        for case, values in parts["cases"].items():
            lines.append(f" {json.dumps(case)}: {{")
            lines += [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in values.items()]
            lines[-1] = lines[-1].removesuffix(",")
            lines.append(" },")
        lines[-1] = " }"
        lines.append("}},")
    lines[-1] = "}}"
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
