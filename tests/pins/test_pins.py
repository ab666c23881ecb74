"""The numbers of every step are those of its version.

Where they are not, either the change was not meant to move a number, or the step's version is to be raised.
"""

import json

import pytest
from breaks import BREAKS, PACKAGE
from pin_cases import CASES, EXEMPT, FOLLOWS, ONE_FOR_ALL
from pin_numbers import moved, read, record, same
from pin_steps import run, settings_of

from unlearning_metric import config
from unlearning_metric.keys.versions import VERSIONS

STORED = read()


@pytest.mark.parametrize("step", VERSIONS)
def test_the_stored_numbers_are_of_the_steps_version(step):
    assert STORED[step]["version"] == VERSIONS[step].number, f"the version of `{step}` was raised: now `make pin`"


@pytest.mark.parametrize(("step", "case"), [(step, case) for step in CASES for case in CASES[step]])
def test_numbers(tmp_path, step, case):
    stored, found = STORED[step]["cases"].get(case), record(run(step, case, tmp_path))
    assert stored is not None, f"the case {case} of `{step}` is new: `make pin` stores its numbers"
    other = moved(stored, found)
    after = f", if no number of `{FOLLOWS[step]}` moved, whose results it reads" if step in FOLLOWS else ""
    assert not other, (
        f"{len(other)} numbers of `{step}` moved, first {other[0]}: {stored[other[0]]} -> {found.get(other[0])}. "
        f"If that is meant, raise the version of `{step}`{after}, then `make pin`"
    )
    new = found.keys() - stored.keys()
    assert not new, f"`{step}` has new numbers ({', '.join(sorted(new)[:5])}): `make pin` stores them, no version rises"


def test_each_deliberate_break_changes_one_module():
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    found = {change.old: sum(change.old in source for source in sources) for change in BREAKS}
    assert {old: count for old, count in found.items() if count != 1} == {}, "tests/pins/breaks.py is out of date"


def _options(node, schema, name=""):
    """Dotted key -> its default and the values that it may have, where they are listed."""
    for key, field in node["properties"].items():
        kinds = field.get("anyOf", [field])
        kinds = [schema["$defs"][kind["$ref"].rsplit("/", 1)[-1]] if "$ref" in kind else kind for kind in kinds]
        dotted = f"{name}.{key}" if name else key
        if "properties" in kinds[0]:
            yield from _options(kinds[0], schema, dotted)
        else:
            yield dotted, field.get("default"), [value for kind in kinds for value in kind.get("enum", ())]


def _value(raw, dotted, default):
    for part in dotted.split("."):
        raw = raw.get(part, default) if isinstance(raw, dict) else default
    return raw


def test_every_option_that_can_change_a_number_stands_in_a_case():
    schema = config.json_schema()
    cases = [settings_of(case) for step in CASES.values() for case in step.values()]
    missing = []
    for dotted, default, listed in _options(schema, schema):
        # As text: 0 is not false.
        used = {json.dumps(_value(raw, dotted, default)) for raw in cases}
        needed = ONE_FOR_ALL.get(dotted, listed)
        if dotted in EXEMPT or dotted.partition(".")[0] in EXEMPT:
            continue
        missing += [f"{dotted}: {value}" for value in needed if json.dumps(value) not in used]
        if not needed and used == {json.dumps(default)}:
            missing.append(f"{dotted}: anything but {default}")
    assert not missing, f"tests/pins/pin_cases.py needs cases with {'; '.join(missing)}; then `make pin`"


def test_steps_and_cases_are_those_of_the_table_of_versions():
    assert set(CASES) == set(VERSIONS)
    gone = [(step, case) for step in STORED for case in STORED[step]["cases"] if case not in CASES[step]]
    assert not gone, f"no longer run: {gone}; `make pin` removes their numbers"
    dotted = {dotted for dotted, *_ in _options(config.json_schema(), config.json_schema())}
    assert set(EXEMPT) <= dotted | {name.partition(".")[0] for name in dotted}


def test_rounding_is_no_other_number_and_a_difference_in_the_fifth_digit_is():
    assert same([1.0, 1e-9], [1.000001, 2e-9])
    assert not same([1.0, 0.5], [1.0, 0.50002])
    assert not same([1, 2], [2, 1])
    assert not same(["nan", 1.0], [0.0, 1.0])
    long = record({"x": [float(place) for place in range(100)]})
    turned = record({"x": [float(place) for place in reversed(range(100))]})
    assert moved(long, turned) == ["x"]
    assert moved(long, {}) == ["x"]
