"""The kinds of values that fields hold, and how text stands for a number or a truth value."""

import math
import os
import re
from collections.abc import Callable, Mapping, Set
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from unlearning_metric.config.text import shown


def _number_from_text(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _truth_from_text(value: Any) -> Any:
    # Snakemake hands "--config name=true" over as text.
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _integer_or_text(value: Any) -> Any:
    # Before pydantic tries one type after the other: it would report a problem of each.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("label_type", "neither an integer nor text")
    return value


def empty_mapping_for_none(value: Any) -> Any:
    return {} if value is None else value


def _plain_values(value: Any) -> Any:
    """Refuse what is no plain value: as JSON, of which keys are made, it would become another one or none."""
    value = empty_mapping_for_none(value)
    if isinstance(value, dict) and (problem := _first_odd_value(value)):
        raise told(problem)
    return value


def told(problem: str) -> PydanticCustomError:
    """An error whose message is this text, which goes on behind the key of the field."""
    return PydanticCustomError("told", "{problem}", {"problem": problem})


def expanded_path(path: str) -> str:
    """A path in which ``~`` is the home folder and ``$NAME`` or ``${NAME}`` a variable, as in a shell.

    What is there by the name as it is written is meant as it is written.
    """
    if "\0" in path:
        raise told(f": {shown(path)} holds the character of number 0, which no path can. Remove it.")
    home = os.path.expanduser(path)
    if home.startswith("~") and not os.path.lexists(home):
        user = home.partition("/")[0]
        raise told(f": {path} begins with {user}, and there is no such user. Write ./{path} for that very name.")

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not os.environ.get(name) and not os.path.lexists(home):
            raise told(f": {path} names the variable {name}, which is not set. Set it, or write the path out.")
        return os.environ.get(name) or match[0]

    return re.sub(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", value, home, flags=re.ASCII)


def _first_odd_value(value: Any, place: str = "") -> str | None:
    """Where within a value something is no number, text, truth value, list or mapping with names, and what to do."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                return f"{place}: {shown(key)} cannot be a key. Expected text. Put it in quotes."
        parts = [(f"{place}.{key}", one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [(f"{place}[{index}]", one) for index, one in enumerate(value)]
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{place}: {value} is not allowed. Expected a finite number, or null for none."
    elif value is None or isinstance(value, bool | int | float | str):
        return None
    else:
        return f"{place}: {shown(value)} is {type(value).__name__}. If text is meant, put it in quotes."
    return next(filter(None, (_first_odd_value(one, name) for name, one in parts)), None)


def empty_list_for_none(value: Any) -> Any:
    return [] if value is None else value


Number = Annotated[float, BeforeValidator(_number_from_text)]
Truth = Annotated[bool, BeforeValidator(_truth_from_text)]
PositiveInt = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1), BeforeValidator(_number_from_text)]
PositiveNumber = Annotated[float, Field(gt=0), BeforeValidator(_number_from_text)]
Label = Annotated[int | str, BeforeValidator(_integer_or_text, json_schema_input_type=int | str)]
PathText = Annotated[str, Field(min_length=1), AfterValidator(expanded_path)]
PythonFile = Annotated[str, Field(pattern=r"\.py$"), AfterValidator(expanded_path)]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
SafetensorsFile = Annotated[str, Field(pattern=r"\.safetensors$"), AfterValidator(expanded_path)]
Hyperparameters = Annotated[
    dict[str, Any],
    BeforeValidator(_plain_values, json_schema_input_type=dict[str, Any] | None),
]


#: Dotted keys of the fields that a rule is about, and the rule: what is wrong with their values together, if anything.
Rule = tuple[tuple[str, ...], Callable[..., str | None]]


class Section(BaseModel):
    """A mapping of the configuration: known keys alone, values of the types they are written in, not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


def sound_part(section: type[S], raw: Mapping[str, Any], bad_keys: Set[str], prefix: str = "") -> S:
    """A section of which some fields are wrong or missing: the others in their types, those absent.

    Parameters
    ----------
    raw : the section as it was given
    bad_keys : dotted keys of what is wrong or missing
    prefix : dotted key of the section with a dot behind it; empty for the whole
    """
    values = {}
    for name, field in section.model_fields.items():
        if name not in raw or f"{prefix}{name}" in bad_keys:
            continue
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        # A section that has a short form may be written as a number or text.
        if is_section and isinstance(raw[name], Mapping):
            values[name] = sound_part(field.annotation, raw[name], bad_keys, f"{prefix}{name}.")
        elif not any(bad.startswith(f"{prefix}{name}.") for bad in bad_keys):
            kind = TypeAdapter(Annotated[field.annotation, field], config=None if is_section else Section.model_config)
            values[name] = kind.validate_python(raw[name])
    return section.model_construct(**values)


def function_needs_file(section: str, default: str) -> Callable[..., str | None]:
    def check(file: str | None, function: str, options: dict[str, Any] | None) -> str | None:
        given = "function" if function != default else "options" if options else None
        if file is None and given is not None:
            return f"{section}.{given}: is only used with {section}.file, which is not given. Remove it, or add file."
        return None

    return check
