"""The catalogue: fields of a docstring, the page, and that the page is in step with the method files."""

import json
from pathlib import Path

import pytest

from unlearning_metric import pages as catalogue
from unlearning_metric.pages import (
    CatalogueError,
    Scores,
    page,
    read_entries,
    read_entry,
    read_scores,
    scores_of_page,
)

ROOT = Path(__file__).resolve().parents[2]
DOCSTRING = '''"""CF-k: fine-tune the last k layers.

Source: Goel et al. 2022, arXiv 2201.06640; code. Ours
    differs.
Needs: retain set, original model; validation set with ``rewind``.
Cost: 3 R fb, 0.5 F fw, 32 n_F of R fw.
Stochastic: weak; order of the examples.
Known weakness: it is
    weak.
"""
'''


def method(folder, text=DOCSTRING, name="mine"):
    (folder / f"{name}.py").write_text(text)
    return folder / f"{name}.py"


def document(folder, name, final, reference="r", copies=64, ceiling=0.19):
    text = {
        "method": name, "copies": copies, "originals": 1, "dataset": "digits",
        "forget": {"size": 72, "strategy": "random"}, "challenge": {"final_score": final, "ceiling": ceiling},
        "provenance": {"keys": {"retrained": reference}},
    }  # fmt: skip
    (folder / f"score_{name}.json").write_text(json.dumps(text))


def test_the_page_is_in_step_with_the_method_files():
    text = (ROOT / "docs" / "methods.md").read_text()
    found = page(read_entries(ROOT / "methods"), scores_of_page(text))
    assert found == text, "docs/methods.md is not what the docstrings say: run python -m unlearning_metric.pages"


def test_an_entry_holds_the_fields_as_single_lines(tmp_path):
    entry = read_entry(method(tmp_path))
    assert entry.name == "mine"
    assert entry.title == "CF-k: fine-tune the last k layers."
    assert entry.source == "Goel et al. 2022, arXiv 2201.06640; code. Ours differs."
    assert entry.citation == "Goel et al. 2022, arXiv 2201.06640; code"
    assert entry.degree == "weak"
    assert entry.weakness == "it is weak."
    assert entry.arguments == {"retain_loader": True, "original_model": True, "val_loader": False}
    assert entry.passes == {("R", "R", "fb"): 3, ("F", "F", "fw"): 0.5, ("F", "R", "fw"): 32}


def test_a_file_is_read_and_never_run(tmp_path):
    assert read_entry(method(tmp_path, DOCSTRING + "raise RuntimeError\n")).name == "mine"


def test_helpers_and_files_without_fields_are_left_out(tmp_path):
    method(tmp_path, name="b")
    method(tmp_path, name="a")
    method(tmp_path, name="_helper")
    method(tmp_path, "def unlearn(model):\n    pass\n", name="users_own")
    assert [entry.name for entry in read_entries(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Cost: 3 R", "Price: 3 R", "lacks Cost:"),
        ("Cost: 3 R fb, 0.5 F fw, 32 n_F of R fw.", "Cost:", "lacks Cost:"),
        ("Stochastic: weak", "Stochastic: somewhat", "must begin with one of no, weak, medium, strong"),
        ('weak.\n"""', 'weak.\n"""(', "does not parse: line"),
    ],
)
def test_an_incomplete_docstring_is_refused_with_the_file_and_the_field(tmp_path, old, new, said):
    with pytest.raises(CatalogueError, match=r"mine\.py") as caught:
        read_entry(method(tmp_path, DOCSTRING.replace(old, new)))
    assert said in str(caught.value)


def test_an_unknown_need_is_named(tmp_path):
    entry = read_entry(method(tmp_path, DOCSTRING.replace("retain set", "crystal ball")))
    with pytest.raises(CatalogueError, match=r"mine: it needs 'crystal ball'.*retain set"):
        _ = entry.arguments


def test_scores_come_from_a_results_folder_and_stay_on_the_page(tmp_path):
    document(tmp_path, "mine", 0.12345)
    document(tmp_path, "other", None)
    scores = read_scores(tmp_path)
    assert scores.values == {"mine": "0.1235", "other": "-"}
    for fact in ("digits", "N = 64", "72 forget examples (random)", "1 original.", "0.1900"):
        assert fact in scores.run
    text = page([read_entry(method(tmp_path))], scores)
    assert "| 0.1235 |" in text
    assert scores_of_page(text) == Scores(scores.run, {"mine": "0.1235"})
    assert page([read_entry(method(tmp_path))], scores_of_page(text)) == text


def test_scores_without_a_ceiling_say_so(tmp_path):
    document(tmp_path, "mine", 0.1, ceiling=None)
    assert read_scores(tmp_path).run.endswith("1 original. There is no ceiling.")


@pytest.mark.parametrize("change", [{"reference": "other"}, {"copies": 32}])
def test_scores_against_different_models_are_refused(tmp_path, change):
    document(tmp_path, "mine", 0.1)
    document(tmp_path, "other", 0.1, **change)
    with pytest.raises(CatalogueError, match="different retrained models"):
        read_scores(tmp_path)


def test_a_folder_without_scores_is_named(tmp_path):
    with pytest.raises(CatalogueError, match=r"no score_\*\.json"):
        read_scores(tmp_path)


def test_the_command_writes_the_page_keeps_its_scores_and_names_what_is_wrong(tmp_path, capsys):
    methods, results, target = tmp_path / "methods", tmp_path / "results", tmp_path / "docs" / "methods.md"
    methods.mkdir()
    results.mkdir()
    method(methods)
    document(results, "mine", 0.5)
    options = ["--methods", str(methods), "--page", str(target)]
    catalogue.main(options)
    assert "of no run yet" in target.read_text()
    catalogue.main([str(results), *options])
    with_scores = target.read_text()
    assert "0.5000" in with_scores
    catalogue.main(options)
    assert target.read_text() == with_scores
    method(methods, DOCSTRING.replace("Needs:", "Wants:"))
    with pytest.raises(SystemExit) as caught:
        catalogue.main(options)
    assert caught.value.code == 1
    assert "mine.py" in capsys.readouterr().err
