"""The configurations in config/: sound, and what their comments say of them."""

import inspect
from pathlib import Path

import pytest
import yaml

from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.unlearning.copies import load_method

ROOT = Path(__file__).resolve().parents[3]
FILES = find_methods(ROOT / "methods")
# A file of several experiments is none itself: tests/unit/test_sweep.py.
CONFIGURATIONS = sorted(set((ROOT / "config").glob("*.yaml")) - {ROOT / "config" / "sweep_example.yaml"})


def read(name):
    return yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.name)
def test_a_configuration_is_valid_and_sets_only_what_its_methods_take(path):
    settings = config.parse(config.read_yaml(path), FILES)
    for name, options in settings.methods.items():
        parameters = inspect.signature(load_method(FILES[options.get("file", name)])).parameters
        tuned = options.keys() - {"file"}
        assert all(parameters[option].default is not inspect.Parameter.empty for option in tuned), name


def test_digits_all_is_the_default_experiment_with_every_method():
    default, everything = read("config.yaml"), read("digits_all.yaml")
    assert everything["skip"] == []
    assert everything["results"] != default["results"]
    apart = ("methods", "skip", "results")
    assert {k: v for k, v in everything.items() if k not in apart} == {
        k: v for k, v in default.items() if k not in apart
    }
    assert default["methods"].items() <= everything["methods"].items()


def test_the_default_run_scores_at_least_eight_methods_and_tunes_none_that_it_skips():
    default = read("config.yaml")
    assert len(set(FILES) - set(default["skip"])) >= 8
    assert not set(default["methods"]) & set(default["skip"])


def test_the_ladder_is_the_default_experiment_with_more_models_and_mixtures_alone():
    default, ladder = read("config.yaml"), read("ladder.yaml")
    apart = ("methods", "skip", "results", "copies")
    assert {k: v for k, v in ladder.items() if k not in apart} == {k: v for k, v in default.items() if k not in apart}
    assert set(ladder["skip"]) == set(FILES)
    assert {options["file"] for options in ladder["methods"].values()} == {"mixture"}
    assert [options["rho"] for options in ladder["methods"].values()] == [0.0, 0.1, 0.25, 0.5, 1.0]
    assert ladder["results"] != default["results"]
