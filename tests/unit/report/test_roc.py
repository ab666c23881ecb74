"""The figure of the pooled attack."""

from dataclasses import replace

import numpy as np
import pytest
from found import findings

from unlearning_metric.report.names import figure_names
from unlearning_metric.report.roc import pooled_curves


def lines(found):
    figure = pooled_curves(found)
    return figure.axes[0], {line.get_label(): line for line in figure.axes[0].lines}


def test_curves_are_the_documents_on_logarithmic_axes_from_the_first_false_positive_on():
    found = findings(("one", "two"), models=32)
    axes, drawn = lines(found)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "false-positive rate, 16 models a side"
    for method in found.methods:
        section = method.document["pooled_roc"]
        pairs = len(method.samples) * section["ceiling_models"]
        rates, curve = np.array(section["false_positive_rates"]), section["method_like_ceiling"]["curve"]
        expected = [pair for pair in zip(rates, curve, strict=True) if pair[0] * pairs >= 1 - 1e-9]
        assert 0 < len(expected) < len(rates)
        np.testing.assert_allclose(drawn[method.name].get_xydata(), expected)
    ceiling = found.first["pooled_roc"]["ceiling"]["curve"]
    np.testing.assert_allclose(drawn["ceiling: retrained"].get_ydata(), ceiling[-len(expected) :])


def test_the_ceiling_has_a_band_of_two_standard_errors():
    found = findings(("one",), models=32)
    axes, _ = lines(found)
    (band,) = axes.collections
    part = found.first["pooled_roc"]["ceiling"]
    place = part["curve"].index(pytest.approx(0.5, abs=0.2))
    rate = found.first["pooled_roc"]["false_positive_rates"][place]
    at = [y for x, y in band.get_paths()[0].vertices if x == pytest.approx(rate)]
    assert max(at) - min(at) == pytest.approx(2 * 1.96 * part["curve_error"][place])


def test_rates_without_true_positives_are_left_out_and_too_few_models_have_no_curve():
    found = findings(("one",), models=32)
    section = found.first["pooled_roc"]
    changed = {**section, "method_like_ceiling": {**section["method_like_ceiling"], "curve": [0.0] * 25 + [0.5] * 16}}
    document = {**found.first, "pooled_roc": changed}
    _, drawn = lines(replace(found, methods=[replace(found.methods[0], document=document)]))
    values = drawn["one"].get_ydata()
    assert np.isnan(values).any()
    assert np.nanmin(values) > 0

    axes, drawn = lines(findings(("one",), models=6))
    assert not drawn
    assert axes.texts[0].get_text() == "no curve: too few models"


def test_every_report_has_it():
    assert "roc" in figure_names(["one"])
