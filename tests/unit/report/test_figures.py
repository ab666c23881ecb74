"""What the figures show, and that it can be seen."""

import re
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from found import findings, many, method
from matplotlib.colors import to_rgb

from unlearning_metric.report import figure_files
from unlearning_metric.report.figure_files import save_all
from unlearning_metric.report.figure_style import COLUMN, NAMED, SERIES, TEXT, named, style
from unlearning_metric.report.figures import (
    badly_forgotten,
    drawings,
    forgetting_against_utility,
    pairs_told_apart,
    score_by_models,
    score_of_method_by_models,
)
from unlearning_metric.report.names import figure_names

#: Backgrounds of the page and of the files.
PAPER = {"light": "#ffffff", "dark": "#15181c"}


def luminance(color):
    """Relative luminance, as WCAG 2 defines it."""
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("color", SERIES)
@pytest.mark.parametrize("scheme", PAPER)
def test_every_colour_is_seen_on_light_and_on_dark(color, scheme):
    lower, upper = sorted((luminance(color), luminance(PAPER[scheme])))
    assert (upper + 0.05) / (lower + 0.05) >= 3


@pytest.mark.parametrize(
    "settings",
    [{"text.usetex": True}, {"font.size": 30, "axes.grid": True, "image.cmap": "gray"}],
    ids=str,
)
def test_the_users_own_styles_change_no_figure(tmp_path, monkeypatch, settings):
    monkeypatch.setattr(figure_files, "drawings", lambda found: {"examples": drawings(found)["examples"]})
    save_all(findings(("one",)), tmp_path / "plain")
    with mpl.rc_context(settings):
        save_all(findings(("one",)), tmp_path / "styled")
        assert mpl.rcParams["font.size"] == settings.get("font.size", mpl.rcParamsDefault["font.size"])
    for name in ("examples.png", "examples.pdf"):
        assert (tmp_path / "styled" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_no_two_of_thirty_methods_are_drawn_alike():
    lines = score_by_models(many(methods=30, examples=20)).axes[0].lines[:30]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 30


def test_the_figure_of_pairs_says_who_is_ahead_and_what_is_not_told_apart():
    found = findings()
    first, second, third = (row["method"] for row in found.rows)
    pairs = [
        {"first": first, "second": second, "difference": 0.1, "told_apart": False},
        {"first": first, "second": third, "difference": 0.3, "told_apart": True},
        {"first": second, "second": third, "difference": 0.2, "told_apart": True},
    ]
    axes = pairs_told_apart(replace(found, pairs=pairs)).axes[0]
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, [[np.nan, 0, 1], [0, np.nan, 1], [-1, -1, np.nan]])
    assert [label.get_text() for label in axes.get_yticklabels()] == [first, second, third]


def test_of_very_many_methods_the_first_are_named_and_the_others_counted():
    found = many(methods=NAMED + 5, examples=20)
    key = [text.get_text() for text in forgetting_against_utility(found).legends[0].get_texts()]
    assert len(key) == NAMED + 1
    assert key[-1] == "and 5 more"
    legend = score_by_models(found).legends[0]
    assert len(legend.get_texts()) == NAMED + 1  # and the ceiling
    assert "5 more" in legend.get_title().get_text()
    assert badly_forgotten(found).axes[0].get_yticks().size == 0


def test_a_method_by_number_of_models_shows_each_score_and_its_interval():
    mine = method("mine")
    axes = score_of_method_by_models(mine).axes[0]
    entries = mine.document["by_models"]
    assert [line for line in axes.lines if list(line.get_ydata()) == [e["forgetting_score"] for e in entries]]
    drawn = [segment[:, 1].tolist() for segment in axes.collections[0].get_segments()]
    known = [entry["interval"] for entry in entries if entry["interval"] is not None]
    assert len(known) > 0
    np.testing.assert_allclose(drawn, known)


def test_a_method_by_number_of_models_stands_without_intervals():
    axes = score_of_method_by_models(method("mine", models=8)).axes[0]
    assert len(axes.collections) == 0
    assert axes.get_xlabel() == "models a side"


def test_no_figure_of_all_methods_has_a_title():
    for name, draw in drawings(findings()).items():
        if not name.startswith("confidence_"):
            assert [axes.get_title() for axes in draw().axes if axes.get_title()] == []


def test_every_figure_is_a_file_in_both_formats_and_the_same_findings_give_the_same_bytes(tmp_path):
    found = findings(("one",))
    names = figure_names(["one"])
    assert set(drawings(found)) == set(names)
    for processes, folder in ((1, "a"), (2, "b")):
        save_all(found, tmp_path / folder, processes)
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert set(files) == {f"{name}.{suffix}" for name in names for suffix in ("png", "pdf")}
    assert all(len(content) > 1000 for content in files.values())
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()} == files
    assert "agreement" in figure_names(["a", "b", "c"])
    for name in names:
        width = float(re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+)", files[f"{name}.pdf"])[1])
        assert width in (pytest.approx(72 * COLUMN), pytest.approx(72 * TEXT)), name


@pytest.mark.parametrize("methods", [3, NAMED + 5])
def test_every_figure_is_as_wide_as_a_column_or_the_text_and_its_type_is_read_there(methods):
    found = findings() if methods == 3 else many(methods=methods, examples=20)
    with style():
        for name, draw in drawings(replace(found, methods=found.methods[:methods])).items():
            if methods > 3 and "method_number" in name and not name.endswith("method_number_0"):
                continue
            figure = draw()
            assert figure.get_size_inches()[0] in (COLUMN, TEXT)
            figure.draw_without_rendering()
            written = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
            assert min(text.get_fontsize() for text in written) >= 6.5
            # Nothing runs over the edge of the paper.
            drawn = figure.get_tightbbox()
            assert drawn.x0 >= -0.02, name
            assert drawn.x1 <= figure.get_size_inches()[0] + 0.02, name
            assert drawn.y0 >= -0.02, name
            assert drawn.y1 <= figure.get_size_inches()[1] + 0.02, name
            plt.close(figure)


def test_names_in_figures_are_no_formulas_and_none_is_left_out(tmp_path):
    names = ("_under", "a$b$", "l" * 200)
    assert [named(name) for name in names] == ["_under", r"a\$b\$", "l" * 23 + "\u2026"]
    legend = score_by_models(findings(names)).legends[0]
    assert len(legend.get_texts()) == 3 + 1  # and the ceiling
    save_all(findings(names[:1]), tmp_path)
