"""The other metrics in a score document: what is compared with what."""

import numpy as np
import pytest
from drawn import ORIGINAL, RETRAINED, N, ensemble, score

from unlearning_metric import heldout, klom, seed_notebook, simple_mia, ulira
from unlearning_metric.scoring import sections as score_sections
from unlearning_metric.scoring.sections import Sides, heldout_section, klom_section, mia_section, seed_section

UNLEARNED = ensemble(1, shift=1.0)
HALVES = np.arange(N).reshape(2, -1)


def sides(unlearned=UNLEARNED, ceiling=None, originals=ORIGINAL, retrained=RETRAINED):
    return Sides(retrained, unlearned, originals, ceiling, HALVES)


def values(side, role="forget"):
    return side.roles[role].confidence


def test_the_method_is_held_against_all_retrained_models():
    section, result = heldout_section(sides(), 1e-5)
    expected = heldout(values(RETRAINED), values(UNLEARNED))
    assert section["method"]["epsilon_mean"] == pytest.approx(expected.epsilons.mean())
    np.testing.assert_array_equal(result.bounds, expected.bounds)


def test_the_floor_is_the_original_repeated():
    section, _ = klom_section(sides())
    repeated = np.repeat(values(ORIGINAL), N // 2, axis=0)
    expected = klom(values(RETRAINED)[HALVES[0]], repeated).mean()
    assert section["forget"]["floor"]["mean"] == pytest.approx(expected)


def test_identity_is_the_floor():
    identity = ensemble(1, confidence=np.repeat(values(ORIGINAL), N, axis=0))
    section = klom_section(sides(identity))[0]["forget"]
    assert section["method_like_ceiling"] == section["floor"]


def test_a_ceiling_of_halves_has_a_method_of_as_many_models_beside_it():
    section = klom_section(sides())[0]["test"]
    theirs, ours = values(RETRAINED, "test"), values(UNLEARNED, "test")
    first, second = HALVES
    assert section["ceiling_models"] == N // 2
    assert section["ceiling"]["mean"] == pytest.approx(klom(theirs[first], theirs[second]).mean())
    assert section["method_like_ceiling"]["mean"] == pytest.approx(klom(theirs[first], ours[second]).mean())
    assert section["method"]["mean"] == pytest.approx(klom(theirs, ours).mean())


def test_a_second_set_is_the_ceiling_at_the_full_number():
    second = ensemble(8)
    section = klom_section(sides(ceiling=second))[0]["forget"]
    assert section["ceiling_models"] == N
    assert section["ceiling"]["mean"] == pytest.approx(klom(values(RETRAINED), values(second)).mean())
    assert section["method_like_ceiling"] == section["method"]


@pytest.mark.parametrize("size", [1, 7])
def test_klom_is_the_same_however_many_examples_are_looked_at_at_once(monkeypatch, size):
    whole, per_example = klom_section(sides(ceiling=ensemble(8)))
    monkeypatch.setattr(score_sections, "BLOCK", size)
    section, again = klom_section(sides(ceiling=ensemble(8)))
    # Not bit by bit: numpy adds up a single column in another order.
    np.testing.assert_allclose(again, per_example, rtol=1e-9)
    assert {role for role in whole if whole[role]} == {role for role in section if section[role]} >= {"forget", "test"}
    for role in ("forget", "test"):
        for name in ("method", "floor", "ceiling", "method_like_ceiling"):
            assert section[role][name] == pytest.approx(whole[role][name], rel=1e-9)


def test_a_role_that_was_not_recorded_is_null():
    assert klom_section(sides())[0]["probe"] is None


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
    section = mia_section(sides(), 3)
    expected = simple_mia(UNLEARNED.forget.loss, UNLEARNED.roles["test"].loss, 3)
    assert section["method"]["accuracy"] == pytest.approx(expected.mean())
    assert section["ceiling"]["accuracy"] == pytest.approx(
        simple_mia(RETRAINED.forget.loss, RETRAINED.roles["test"].loss, 3).mean()
    )


def test_the_seed_notebooks_score_never_stands_without_its_flaw_and_dropped_share():
    far = ensemble(1, shift=-90.0)
    section, result = seed_section(sides(far))
    assert section["method"] == {"score": None, "accuracy": 1.0, "dropped_share": 1.0}
    assert "undefined" in section["flaw"]
    assert np.isnan(result.scores).all()
    section, _ = seed_section(sides())
    expected = seed_notebook(RETRAINED.forget.loss, UNLEARNED.forget.loss)
    assert section["method"]["score"] == pytest.approx(expected.score)
    assert section["method"]["dropped_share"] == expected.dropped_share
