"""How an entry says that its function is called: which parameter gets what, and how that is written.

A value of ``arguments`` is the name of an argument, of a source, or of another parameter; a mapping, which becomes a
namespace whose keys are attributes as well; ``{call: torch.optim.SGD, params: parameters, lr: 0.1}``, which calls;
``{import: torch.optim.SGD}``, a class or function itself; ``{literal: model}``, a value as it stands; a list of such;
or a literal. A call may have ``with``, what goes by position, and ``set``, attributes that are set on what it gives.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from unlearning_metric.user_code.contract import ARGUMENTS
from unlearning_metric.user_code.spellings import SOURCES, SPELLINGS

#: What a call may name besides what lies in the user's own files.
CALLABLE = ("torch.", "torchvision.")
RETURNS = ("model", "state_dict", "first", "last")
LOADS = ("all", "definitions")
#: Methods of a class that are run unless the entry names one, the first that there is.
RUN = ("unlearn", "run", "forget", "fit", "train_model")
#: What a name in ``arguments`` may mean.
NAMES = frozenset({*ARGUMENTS, *SOURCES, *SPELLINGS})


@dataclass(frozen=True)
class Interface:
    """How a method's function or class is called.

    Attributes
    ----------
    root : folder that its imports start from; that of its file if None
    kind : name of a class in place of a function
    run : methods of the class that are called one after another
    arguments : parameter -> what it gets, see the module
    globals : name that its file reads and sets outside the function -> what it gets, as in ``arguments``
    returns : how what it returns is read; None for what can be told by itself
    load : ``all``, or ``definitions`` for a file whose other statements are left out; None for what its suffix says
    cuda : ``pretend`` where CUDA asked for by name means the CPU
    loader_batch_size : examples a batch; as in training if None
    without : functions of its file, such as one that measures, whose calls do nothing
    """

    root: str | None = None
    kind: str | None = None
    run: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    globals: Mapping[str, Any] = field(default_factory=dict)
    returns: str | None = None
    load: str | None = None
    cuda: str | None = None
    loader_batch_size: int | None = None
    without: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Interface:
        """The interface that an entry of the configuration describes."""
        run, without = entry.get("run", ()), tuple(entry.get("without", ()))
        given = {key: entry[key] for key in cls.__dataclass_fields__ if key in entry}
        return cls(
            **{
                **given,
                "kind": entry.get("class"),
                "without": without,
                "run": (run,) if isinstance(run, str) else tuple(run),
            }
        )

    def settings(self) -> dict[str, Any]:
        """As keys of an entry, without those that say nothing."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told["class"], told["run"] = told.pop("kind"), list(self.run)
        told["without"] = list(self.without)
        return {name: value for name, value in told.items() if value not in (None, [], {})}

    @property
    def values(self) -> dict[str, Any]:
        """All that is written as an argument is."""
        return {"arguments": self.arguments, "globals": self.globals}

    @property
    def only_definitions(self) -> bool | None:
        """What `loading.source_of` is told."""
        return None if self.load is None else self.load == "definitions"


def names_in(value: Any) -> Iterator[str]:
    """Texts of an argument that may be names, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        if value.keys() not in ({"literal"}, {"import"}):
            for key, part in value.items():
                if key != "call":
                    yield from names_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from names_in(part)


def calls_in(value: Any) -> Iterator[str]:
    """What an argument calls or imports, at any depth."""
    if isinstance(value, Mapping):
        if value.keys() == {"literal"}:
            return
        yield from (value[key] for key in ("call", "import") if isinstance(value.get(key), str))
        for part in value.values():
            yield from calls_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from calls_in(part)


def own_modules_called(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted names of modules of the user's that ``call`` and ``import`` name; ``values`` as `Interface.values`."""
    calls = (call for call in calls_in(values) if not call.startswith(CALLABLE) and "." in call)
    return tuple(sorted({call.rpartition(".")[0] for call in calls}))


def sources_asked(values: Mapping[str, Any]) -> frozenset[str]:
    """Arguments of the harness that an entry names; ``values`` as `Interface.values`."""
    return frozenset(SPELLINGS.get(name, name) for name in names_in(values) if name in NAMES)


def argument_problems(arguments: Any, where: str) -> list[str]:
    """What is wrong with ``arguments`` of an entry, as far as it tells without the function."""
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        return [f"{where}: expected a mapping, parameter: what it gets, such as {{net: model, lr: 0.1}}."]
    problems = []
    known = sorted(NAMES | arguments.keys())
    for name, value in arguments.items():
        for text in names_in(value):
            close = difflib.get_close_matches(text, known, n=1, cutoff=0.85)
            if text not in known and close:
                problems.append(
                    f"{where}.{name}: {text!r} is no argument. Did you mean {close[0]!r}? For the text itself write "
                    f"{{literal: {text}}}."
                )
    return problems
