"""Which parameter of a method's function gets what: by its name, or as its entry says."""

from __future__ import annotations

import copy
import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from unlearning_metric.keys.local_imports import imported_files, own_module
from unlearning_metric.unlearning.offer import Offer
from unlearning_metric.user_code.absent import Showing
from unlearning_metric.user_code.contract import ARGUMENTS, MethodError, unfillable, unknown_option
from unlearning_metric.user_code.interface import CALLABLE, NAMES, Interface
from unlearning_metric.user_code.loading import Source
from unlearning_metric.user_code.namespaces import Namespace, names_read, read_of
from unlearning_metric.user_code.option_values import converted
from unlearning_metric.user_code.signature import REQUIRED
from unlearning_metric.user_code.spellings import LEFT_ALONE, SPELLINGS, meaning

_KINDS = inspect.Parameter


class Parameters:
    """What the parameters of one copy's calls get.

    Parameters
    ----------
    offer : the arguments of the copy
    options : hyper-parameters that the entry sets
    interface : what else the entry says
    source : where the function is; None for one that is in no file
    name : of the method, for messages

    Attributes
    ----------
    bound : parameter -> what it got, as text, of the calls so far
    """

    def __init__(
        self, offer: Offer, options: Mapping[str, Any], interface: Interface, source: Source | None, name: str
    ) -> None:
        self.offer, self.options, self.interface, self.source = offer, options, interface, source
        self.title, self.where = f"method {name}".strip(), f"methods.{name}"
        self.bound: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self._making: list[str] = []
        self._taken: set[str] = set()
        self._unavailable = offer.start.unavailable()

    def of(self, *functions: Callable[..., Any]) -> list[dict[str, Any]]:
        """Arguments of the calls of functions, by name; a class stands for the call that makes one of it.

        Raises
        ------
        MethodError
            For parameters nobody can fill, and for what the entry sets that none of the functions takes.
        """
        signatures = [_named(function, self.title) for function in functions]
        self._refuse_unknown(signatures)
        missing = [
            name
            for named, _ in signatures
            for name, parameter in named.items()
            if parameter.default is _KINDS.empty and self._meaning(name, parameter) is None
        ]
        if missing:
            raise MethodError(unfillable(list(dict.fromkeys(missing)), self.title, self.where))
        return [self._arguments(named, open_ended) for named, open_ended in signatures]

    def globals(self) -> dict[str, Any]:
        """What names of the file get that it sets outside the function, by running something.

        Raises
        ------
        MethodError
            For a name that nothing in the file reads.
        """
        given: dict[str, Any] = {}
        read = names_read(self.source.file) if self.source is not None else ()
        for name, spec in self.interface.globals.items():
            where = f"{self.where}.globals.{name}"
            if name not in read:
                close = difflib.get_close_matches(name, read, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise MethodError(f"{where}: nothing in the file reads a name {name}.{hint}")
            given[name] = self._value(spec, where, name)
            self.bound[f"{name} (of the file)"] = _written(spec)
        return given

    def _refuse_unknown(self, signatures: list[tuple[dict[str, inspect.Parameter], bool]]) -> None:
        named = {name: parameter for one, _ in signatures for name, parameter in one.items()}
        open_ended = any(given for _, given in signatures)
        to_args = any(self._meaning(name, parameter) == "args" for name, parameter in named.items())
        for option in self.options:
            if option in ARGUMENTS:
                raise MethodError(f"{self.where}.{option}: {option!r} is filled by the harness and cannot be set.")
            if option not in named and not open_ended and not to_args:
                raise MethodError(f"{self.where}.{option}: {unknown_option(option, named)}")
        for name in self.interface.arguments:
            if name not in named and not open_ended:
                close = difflib.get_close_matches(name, named, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise MethodError(
                    f"{self.where}.arguments.{name}: there is no such parameter.{hint} There are: "
                    f"{', '.join(named) or 'none'}."
                )

    def _meaning(self, name: str, parameter: inspect.Parameter) -> str | None:
        """Who fills a parameter: ``arguments``, ``options``, ``without``, a source's name, or None for its default."""
        if name in self.interface.arguments:
            return "arguments"
        if name in self.options:
            return "options"
        if name in self.interface.without:
            return "without"
        source = meaning(name, ARGUMENTS)
        if parameter.default is _KINDS.empty:
            return source
        # What the user wrote is left alone, but for models, loaders, seed and device of the table.
        filled = (name in ARGUMENTS and name not in LEFT_ALONE) or source == "device"
        return source if filled and source not in self._unavailable else None

    def _arguments(self, named: Mapping[str, inspect.Parameter], open_ended: bool) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, parameter in named.items():
            filler = self._meaning(name, parameter)
            if filler == "arguments":
                given[name] = self._argument(name)
            elif filler == "options":
                given[name] = self._option(name, parameter.default)
            elif filler == "without":
                given[name], self.bound[name] = Showing(name), "what does nothing (without)"
            elif filler is not None:
                given[name] = self._source(filler)
                told = {"args": _shown(given[name]), "net": "model"} if filler in ("args", "net") else {}
                self.bound[name] = told.get(filler, filler)
            else:
                self.bound[name] = f"{_shown(parameter.default)} (its default)"
        if open_ended:
            more = [name for name in (*self.interface.arguments, *self.options) if name not in given]
            for name in more:
                if name in self._taken:
                    continue
                taken = name in self.interface.arguments
                given[name] = self._argument(name) if taken else self._option(name, _KINDS.empty)
        return given

    def _option(self, name: str, default: Any) -> Any:
        self._taken.add(name)
        default = REQUIRED if default is _KINDS.empty else default
        told = self.options[name]
        if default is REQUIRED and isinstance(told, str) and told in NAMES:
            raise MethodError(
                f"{self.where}.{name}: {told} is the name of an argument, and a hyper-parameter is a text. Write "
                f"{self.where}.arguments: {{{name}: {told}}}, or {{{name}: {{literal: {told}}}}} for the text itself."
            )
        try:
            value = converted(copy.deepcopy(self.options[name]), default, f"{self.where}.{name}")
        except ValueError as error:
            raise MethodError(str(error)) from None
        self.bound[name] = _shown(value)
        return value

    def _argument(self, name: str) -> Any:
        self._taken.add(name)
        if name not in self._made:
            if name in self._making:
                raise MethodError(f"{self.where}.arguments.{name} needs itself: {' -> '.join([*self._making, name])}.")
            self._making.append(name)
            self._made[name] = self._value(self.interface.arguments[name], f"{self.where}.arguments.{name}", name)
            self._making.pop()
        self.bound[name] = _written(self.interface.arguments[name])
        return self._made[name]

    def _source(self, source: str) -> Any:
        if source in self._unavailable:
            raise MethodError(f"{self.title} asks for {source}: {self._unavailable[source]}")
        if source == "args":
            return self._args()
        return self.offer.argument(source)

    def _args(self) -> Namespace:
        offer = self.offer
        known = {
            **offer.start.recipe.model_dump(), "seed": offer.seed, "device": offer.argument("device"),
            "num_classes": offer.start.num_classes,
        }  # fmt: skip
        further = {name: value for name, value in self.options.items() if name not in self._taken}
        return Namespace({**known, **copy.deepcopy(further)}, self.where, lambda: self._read_of("args"))

    def _value(self, spec: Any, where: str, parameter: str = "") -> Any:
        if isinstance(spec, str):
            if spec in self.interface.arguments and spec != parameter:
                return self._argument(spec)
            return self._source(SPELLINGS.get(spec, spec)) if spec in NAMES else spec
        if isinstance(spec, Mapping):
            if spec.keys() == {"literal"}:
                return copy.deepcopy(spec["literal"])
            if spec.keys() == {"import"}:
                return self._callable(str(spec["import"]), where)
            if "call" in spec:
                return self._call(spec, where, parameter)
            values = {key: self._value(part, f"{where}.{key}", parameter) for key, part in spec.items()}
            return Namespace(values, where, lambda: self._read_of(parameter))
        if isinstance(spec, list | tuple):
            return [self._value(part, f"{where}[{place}]", parameter) for place, part in enumerate(spec)]
        return copy.deepcopy(spec)

    def _call(self, spec: Mapping[str, Any], where: str, parameter: str) -> Any:
        function = self._callable(str(spec["call"]), where)
        given = {key: self._value(part, f"{where}.{key}", parameter) for key, part in spec.items() if key != "call"}
        attributes = given.pop("set", {})
        try:
            made = function(*given.pop("with", ()), **given)
        except (Exception, SystemExit) as error:
            raise MethodError(f"{where}: {spec['call']} failed: {type(error).__name__}: {error}") from error
        for name, value in attributes.items():
            setattr(made, name, value)
        return made

    def _callable(self, path: str, where: str) -> Callable[..., Any]:
        module, _, name = path.rpartition(".")
        if path.startswith(CALLABLE):
            holder: Any = importlib.import_module(path.partition(".")[0])
            parts = path.split(".")[1:]
        elif self.source is None:
            raise MethodError(f"{where}.call: {path} is not of torch or torchvision.")
        else:
            own = module or ".".join(self.source.file.relative_to(self.source.root).with_suffix("").parts)
            if module and own_module(self.source.root, module) is None:
                raise MethodError(
                    f"{where}.call: there is no module {module} in {self.source.root}. It names something of torch, "
                    "torchvision, or of a module within the folder that imports start from."
                )
            holder, parts = importlib.import_module(f"{self.source.package}.{own}"), [name]
        for part in parts:
            if not hasattr(holder, part):
                raise MethodError(f"{where}.call: {path} has no {part}.")
            holder = getattr(holder, part)
        return holder

    def _read_of(self, parameter: str) -> set[str]:
        if self.source is None:
            return set()
        return read_of(parameter, [self.source.file, *imported_files(self.source.file, self.source.root)])


def _named(function: Callable[..., Any], title: str) -> tuple[dict[str, inspect.Parameter], bool]:
    """Parameters that have names, and whether any further one may be given."""
    parameters = inspect.signature(function).parameters
    named = {n: p for n, p in parameters.items() if p.kind not in (_KINDS.VAR_POSITIONAL, _KINDS.VAR_KEYWORD)}
    only = next((name for name, parameter in named.items() if parameter.kind is _KINDS.POSITIONAL_ONLY), None)
    if only is not None:
        raise MethodError(f"{title}: parameter {only!r} is positional-only; name it plainly.")
    return named, any(parameter.kind is _KINDS.VAR_KEYWORD for parameter in parameters.values())


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(part)}" for key, part in value.items()) + "}"
    if isinstance(value, nn.Module | torch.Tensor) or (callable(value) and hasattr(value, "__name__")):
        return getattr(value, "__name__", type(value).__name__)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _written(spec: Any) -> str:
    """An argument as the entry has it, names without quotes."""
    if isinstance(spec, str):
        return SPELLINGS.get(spec, spec) if spec in NAMES else repr(spec)
    if isinstance(spec, Mapping):
        return "{" + ", ".join(f"{key}: {_written(part)}" for key, part in spec.items()) + "}"
    if isinstance(spec, list | tuple):
        return "[" + ", ".join(_written(part) for part in spec) + "]"
    return repr(spec)
