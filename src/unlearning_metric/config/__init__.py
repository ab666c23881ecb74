"""The configuration: what may stand in it, its defaults, and messages for what may not.

A file here for each section; `yaml_file` reads, `command_line` says what was given there, `load` checks all of it and
raises one `ConfigError` that lists every problem. The Snakefile imports this while it is parsed, so nothing heavy is
imported here but NumPy, which is there already. `python -m unlearning_metric.config` prints the JSON schema.
"""

from unlearning_metric.config.command_line import configfile_option, from_command_line, refuse_unreadable
from unlearning_metric.config.data import Data
from unlearning_metric.config.efficiency import Efficiency
from unlearning_metric.config.experiment import MOST_ON_CPU, Config
from unlearning_metric.config.forget import BY_DIFFICULTY, FORGET_STRATEGIES, INDEX_FILES, Forget
from unlearning_metric.config.load import load, load_given, parse
from unlearning_metric.config.methods import METHOD_NAME, RESERVED, unknown_method_message
from unlearning_metric.config.model import BUILD, DEFAULT_WIDTH, MODELS, Model
from unlearning_metric.config.neutral import NEUTRAL
from unlearning_metric.config.originals import PER_COPY, number_of_originals
from unlearning_metric.config.parts import (
    CopiesSettings,
    CostSettings,
    DifficultySettings,
    SplitSettings,
    TrainingSettings,
    UnlearningSettings,
)
from unlearning_metric.config.schema import field_keys, json_schema
from unlearning_metric.config.text import ConfigError, listed
from unlearning_metric.config.training import TRAIN, Training
from unlearning_metric.config.values import expanded_path
from unlearning_metric.config.yaml_file import merge, read_yaml

__all__ = [
    "BUILD", "BY_DIFFICULTY", "DEFAULT_WIDTH", "FORGET_STRATEGIES", "INDEX_FILES", "METHOD_NAME", "MODELS",
    "MOST_ON_CPU", "NEUTRAL", "PER_COPY", "RESERVED", "TRAIN", "Config", "ConfigError", "CopiesSettings",
    "CostSettings", "Data", "DifficultySettings", "Efficiency", "Forget", "Model", "SplitSettings", "Training",
    "TrainingSettings", "UnlearningSettings", "configfile_option", "expanded_path", "field_keys",
    "from_command_line", "json_schema", "listed", "load", "load_given", "merge", "number_of_originals", "parse",
    "read_yaml", "refuse_unreadable", "unknown_method_message",
]  # fmt: skip
