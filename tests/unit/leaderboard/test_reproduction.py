"""What reproduces a leaderboard, and what to cite with it."""

from pathlib import Path

import pytest
import yaml

from unlearning_metric import config
from unlearning_metric.leaderboard.reproduction import as_comments, bibtex, configuration_text, keys
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan

ROOT = Path(__file__).resolve().parents[3]
METHODS = find_methods(ROOT / "methods")


def plan_of(raw):
    return Plan(config.parse(raw, METHODS), METHODS)


def documents_of(plan):
    """Of score documents, what says how they were made."""
    return [
        {
            "method": name,
            "provenance": {
                "configuration": plan.score_settings(name),
                "keys": {**plan.score_keys(name), "score": plan.score_origin(name).key},
                "key": plan.score_origin(name).key,
            },
        }
        for name in plan.scored_methods
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"originals": {"count": 3}},
        {"originals": "per_copy", "ceiling": "retrain"},
        {
            "forget": {"strategy": "class", "label": 3},
            "training": {"batch_size": 32, "lr": 0.1, "epochs": 3, "crop": 2, "flip": True},
        },
        {"efficiency": {"limit": 0.5}, "delta": 1e-3, "model": {"name": "mlp", "hidden": [64, 64]}},
    ],
    ids=str,
)
def test_the_configuration_gives_the_same_keys_again(changes):
    plan = plan_of({**yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), **changes})
    documents = documents_of(plan)
    again = plan_of(yaml.safe_load(configuration_text(documents)))
    found = keys(documents)
    assert {"retrained", "originals", *plan.scored_methods} == found.keys() - {"ceiling"}
    for name in plan.scored_methods:
        assert again.score_origin(name).key == found[name]
    assert again.score_keys(plan.scored_methods[0])["retrained"] == found["retrained"]


def test_in_a_latex_file_all_of_it_is_comments():
    documents = documents_of(plan_of(yaml.safe_load((ROOT / "config" / "config.yaml").read_text())))
    lines = as_comments(documents).splitlines()
    assert all(line.startswith("% ") for line in lines)
    text = "\n".join(line[2:] for line in lines)
    configuration = text.partition("(snakemake --configfile):\n")[2]
    assert yaml.safe_load(configuration) == yaml.safe_load(configuration_text(documents))


def test_the_entries_to_cite_say_what_the_citation_file_says():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    report, software = bibtex().splitlines()
    for entry, told in ((software, cited), (report, cited["references"][0])):
        title = entry.partition("title = {")[2].partition("}, author")[0].replace("{", "").replace("}", "")
        assert title == told["title"]
        assert told["authors"][0]["name"] in entry
        assert entry.count("{") == entry.count("}")
    assert f"version = {{{cited['version']}}}" in software
    assert f"year = {{{cited['date-released'].year}}}" in software
    assert f"year = {{{cited['references'][0]['year']}}}" in report
