"""The other metrics in a score document: what is compared with what."""

import math

import numpy as np
import pytest
from drawn import ORIGINAL, RETRAINED, N, ensemble, score

from unlearning_metric import heldout, klom, seed_notebook, simple_mia, ulira
from unlearning_metric.metrics.table import METRICS
from unlearning_metric.scoring import parts, sections
from unlearning_metric.scoring.sections import measured
from unlearning_metric.scoring.sides import Sides
from unlearning_metric.seeds import Streams

UNLEARNED = ensemble(1, shift=1.0)
HALVES = np.arange(N).reshape(2, -1)


def sides(unlearned=UNLEARNED, ceiling=None, originals=ORIGINAL, retrained=RETRAINED):
    return Sides(retrained, unlearned, originals, ceiling, HALVES)


STREAMS = Streams(3, "score")


def section_of(name, sides):
    return measured(METRICS[name], sides, 1e-5, STREAMS).section


def values(side, role="forget"):
    return side.roles[role].confidence


def test_the_method_is_held_against_all_retrained_models():
    found = measured(METRICS["heldout"], sides(), 1e-5, STREAMS)
    expected = heldout(values(RETRAINED), values(UNLEARNED))
    assert found.section["method"]["epsilon_median"] == pytest.approx(np.median(expected.epsilons))
    low, high = found.section["epsilon_median_interval"]
    assert low < np.median(expected.epsilons) < high
    np.testing.assert_array_equal(found.columns["heldout_bound"], expected.bounds)


def test_the_floor_is_the_original_repeated():
    section = section_of("klom", sides())
    repeated = np.repeat(values(ORIGINAL), N // 2, axis=0)
    expected = klom(values(RETRAINED)[HALVES[0]], repeated).mean()
    assert section["forget"]["floor"]["mean"] == pytest.approx(expected)


def test_identity_is_the_floor():
    identity = ensemble(1, confidence=np.repeat(values(ORIGINAL), N, axis=0))
    section = section_of("klom", sides(identity))["forget"]
    assert section["method_like_ceiling"] == section["floor"]


def test_a_ceiling_of_halves_has_a_method_of_as_many_models_beside_it():
    section = section_of("klom", sides())["test"]
    theirs, ours = values(RETRAINED, "test"), values(UNLEARNED, "test")
    first, second = HALVES
    assert section["ceiling_models"] == N // 2
    assert section["ceiling"]["mean"] == pytest.approx(klom(theirs[first], theirs[second]).mean())
    assert section["method_like_ceiling"]["mean"] == pytest.approx(klom(theirs[first], ours[second]).mean())
    assert section["method"]["mean"] == pytest.approx(klom(theirs, ours).mean())


def test_a_second_set_is_the_ceiling_at_the_full_number():
    second = ensemble(8)
    section = section_of("klom", sides(ceiling=second))["forget"]
    assert section["ceiling_models"] == N
    assert section["ceiling"]["mean"] == pytest.approx(klom(values(RETRAINED), values(second)).mean())
    assert section["method_like_ceiling"] == section["method"]


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("size", [1, 7])
def test_a_metric_is_the_same_however_much_is_looked_at_at_once_and_in_how_many_threads(monkeypatch, name, size):
    whole = measured(METRICS[name], sides(ceiling=ensemble(8)), 1e-5, STREAMS)
    monkeypatch.setattr(sections, "EXAMPLES", size)
    monkeypatch.setattr(sections, "MODELS", size)
    monkeypatch.setattr(parts, "threads", lambda: 2)
    again = measured(METRICS[name], sides(ceiling=ensemble(8)), 1e-5, STREAMS)
    # Not bit by bit: numpy adds up a single column in another order.
    assert flat(again.section) == pytest.approx(flat(whole.section), rel=1e-9, nan_ok=True)
    assert again.columns.keys() == whole.columns.keys()
    for column, numbers in whole.columns.items():
        if numbers.dtype.kind == "f":
            np.testing.assert_allclose(again.columns[column], numbers, rtol=1e-9)
        else:
            np.testing.assert_array_equal(again.columns[column], numbers)


def flat(section, name=""):
    """Numbers of a section under dotted names."""
    if isinstance(section, list):
        section = dict(enumerate(section))
    if not isinstance(section, dict):
        return {} if isinstance(section, str) else {name: section}
    found = {key: value for part, below in section.items() for key, value in flat(below, f"{name}.{part}").items()}
    return {key: math.nan if value is None else value for key, value in found.items()}


def test_a_role_that_was_not_recorded_is_null():
    assert section_of("klom", sides())["probe"] is None


def test_the_attacks_success_is_averaged_and_its_worst_example_named():
    document = score(UNLEARNED)[0]
    expected = ulira(values(RETRAINED), values(UNLEARNED))
    assert document["ulira"]["method"]["accuracy"] == pytest.approx(expected.accuracies.mean())
    assert document["ulira"]["method"]["auc_worst"] == expected.aucs.max()


def test_halves_too_small_for_an_attack_leave_its_ceiling_out():
    few = {side: ensemble(seed, models=6) for seed, side in enumerate(("retrained", "unlearned"))}
    document = score(few["unlearned"], few["retrained"])[0]
    assert document["ulira"]["ceiling"] is None
    assert document["ulira"]["method_like_ceiling"] is None
    assert document["ulira"]["method"] is not None


def test_simple_mia_tells_forget_from_test_examples_of_each_model():
    section = section_of("simple_mia", sides())
    seed = STREAMS.integer("simple_mia") % 2**31
    expected = simple_mia(UNLEARNED.forget.loss, UNLEARNED.roles["test"].loss, seed)
    assert section["method"]["accuracy"] == pytest.approx(expected.mean())
    assert section["ceiling"]["accuracy"] == pytest.approx(
        simple_mia(RETRAINED.forget.loss, RETRAINED.roles["test"].loss, seed).mean()
    )


def test_the_seed_notebooks_score_never_stands_without_its_flaw_and_dropped_share():
    far = ensemble(1, shift=-90.0)
    found = measured(METRICS["seed"], sides(far), 1e-5, STREAMS)
    section = found.section
    assert section["method"] == {"score": None, "accuracy": 1.0, "dropped_share": 1.0}
    assert "undefined" in section["flaw"]
    assert np.isnan(found.columns["seed_score"]).all()
    section = section_of("seed", sides())
    expected = seed_notebook(RETRAINED.forget.loss, UNLEARNED.forget.loss)
    assert section["method"]["score"] == pytest.approx(expected.score)
    assert section["method"]["dropped_share"] == expected.dropped_share
