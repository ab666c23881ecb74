"""Packages that a user's file imports and this environment has not.

Much published code imports what only shows how far it is: progress bars, trackers, plots. A method needs none of it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Callable, Collection, Sequence
from typing import Any

from unlearning_metric.progress import LOGGER
from unlearning_metric.user_code.namespaces import Namespace

#: Packages that only show or record: where they are absent, their calls do nothing.
SHOWING = frozenset(
    {"tqdm", "wandb", "tensorboard", "tensorboardX", "tensorboard_logger", "matplotlib", "seaborn", "IPython", "rich",
     "termcolor", "colorama", "mlflow", "neptune", "comet_ml", "google", "kaggle", "ipdb", "torchsummary", "torchinfo"}
)  # fmt: skip
#: What stands for `absent_module` and for `names_there` in the user's modules.
ABSENT, THERE = "__absent_module__", "__names_there__"
_told: set[str] = set()


class Showing:
    """Stands for anything that only shows or measures; a progress bar gives what it walks over.

    What it gives can be taken for a pair, a number or a text: it is no better than anything.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Showing(f"{self.__name__}.{name}")

    def __call__(self, *given: Any, **named: Any) -> Any:
        walked = given[0] if given else named.get("iterable")
        if self.__name__.rpartition(".")[2] in ("tqdm", "trange", "track", "tqdm_notebook"):
            return _Walked(range(walked) if isinstance(walked, int) else walked)
        return self

    def __enter__(self) -> Showing:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Any:
        # Such as `figure, axes = plt.subplots()`.
        return iter((self, self))

    def __getitem__(self, key: Any) -> Showing:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __format__(self, form: str) -> str:
        return ""

    def __float__(self) -> float:
        return 0.0

    def _no(self, other: Any) -> bool:
        return False

    def _itself(self, *_: Any) -> Showing:
        return self

    __lt__ = __le__ = __gt__ = __ge__ = _no
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __round__ = _itself


class _Walked(Showing):
    """A progress bar that shows nothing."""

    def __init__(self, walked: Any) -> None:
        super().__init__("tqdm")
        self._walked = walked

    def __iter__(self) -> Any:
        return iter(() if self._walked is None else self._walked)

    def __len__(self) -> int:
        return len(self._walked)


class Missing:
    """Stands for a name of a package that is not installed, or one that is not where it is imported from.

    Using it says so.


    Parameters
    ----------
    reason : what importing it said; None for a package
    """

    def __init__(self, name: str, reason: str | None = None) -> None:
        self.__dict__.update(_name=name, _reason=reason)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        if self._reason is not None:
            raise ImportError(self._reason)
        top = self._name.partition(".")[0]
        raise ModuleNotFoundError(f"No module named {top!r}, which {self._name} needs", name=top)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse() if self._reason is not None else Missing(f"{self._name}.{name}")

    def __call__(self, *given: Any, **named: Any) -> Any:
        # A decorator of a package leaves what it decorates as it is; what one of the user's own would do is not known.
        alone = self._reason is None and len(given) == 1 and not named and callable(given[0])
        return given[0] if alone else self._refuse()

    __getitem__ = __iter__ = __enter__ = __len__ = __index__ = __int__ = __float__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __bool__(self) -> bool:
        return self._reason is None or self._refuse()

    def __instancecheck__(self, value: Any) -> bool:
        # Nothing that exists is of an absent package, but a namespace of an entry stands for its settings.
        kind = self._name.rpartition(".")[2].lower()
        return isinstance(value, Namespace) and any(word in kind for word in ("config", "cfg", "dict", "namespace"))

    def __subclasscheck__(self, kind: Any) -> bool:
        return False

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        # A class that is based on it can be defined, and not made.
        return (type("Missing", (), {"__init__": self._refuse}),)


def default_left_out(default: str, value: Callable[[], Any]) -> Any:
    """A parameter's default; where it needs what ``load: definitions`` leaves out, what stands for it."""
    try:
        return value()
    except NameError:
        pass
    return Missing(
        default, f"a default, {default}, needs what load: definitions leaves out; give the parameter a value"
    )


def absent_module(name: str) -> Any:
    """What stands for a module, or a name of one, whose package is not installed."""
    top = name.partition(".")[0]
    shows = top in SHOWING
    if top not in _told:
        _told.add(top)
        done = "its calls do nothing" if shows else "what uses it will fail"
        LOGGER.info("%s is not installed: %s", top, done)
    return Showing(name) if shows else Missing(name)


def names_there(error: ImportError | SyntaxError, module: str, level: int, package: str, names: Sequence[str]) -> Any:
    """What an import statement binds, with what stands for the names that are not there: files that a repository does
    not publish or that do not parse, and what a package had in another version.

    Parameters
    ----------
    error : why the statement failed
    module, level, names : as `ast.ImportFrom` has them
    package : ``__package__`` of the module that imports

    Returns
    -------
    the only value, or a list of them

    Raises
    ------
    ImportError
        The given one, where what that module imports itself is missing.
    """
    full = importlib.util.resolve_name("." * level + module, package) if level else module
    if isinstance(error, ImportError) and f"{error.name}.".partition(".")[0] != full.partition(".")[0]:
        raise error
    found = []
    for name in names:
        try:
            # A module first, as the statement itself would: `from package import module`.
            holder = importlib.import_module(full)
            found.append(getattr(holder, name) if hasattr(holder, name) else importlib.import_module(f"{full}.{name}"))
        except (ImportError, SyntaxError):
            LOGGER.info("%s of %s is imported and not there: what uses it will fail", name, module or "its package")
            found.append(Missing(f"{full}.{name}", str(error)))
    return found[0] if len(found) == 1 else found


class _Replaced(ast.NodeTransformer):
    def __init__(self, own: Collection[str], every: bool) -> None:
        self.own, self.every = own, every

    def _is_absent(self, module: str) -> bool:
        # PyTorch's own module of it needs the package.
        module = "tensorboard" if module.startswith("torch.utils.tensorboard") else module
        top = module.partition(".")[0]
        if top in self.own or not (self.every or top in SHOWING):
            return False
        try:
            return importlib.util.find_spec(module if top == "google" else top) is None
        except (ImportError, ValueError):
            return True

    def visit_Try(self, node: ast.Try) -> ast.Try:
        # It says itself what to do without; what it does then may need what is absent as well.
        for part in (*node.handlers, *node.orelse):
            self.generic_visit(part)
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for alias in node.names:
            top = alias.name.partition(".")[0]
            if not self._is_absent(alias.name):
                kept.append(ast.Import([alias]))
            else:
                kept.append(_bound(alias.asname or top, alias.name if alias.asname else top))
        return [ast.fix_missing_locations(ast.copy_location(one, node)) for one in kept]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        if node.level or not self._is_absent(node.module or ""):
            return node
        module = node.module.removeprefix("torch.utils.")
        bound = [_bound(one.asname or one.name, f"{module}.{one.name}") for one in node.names if one.name != "*"]
        return [ast.fix_missing_locations(ast.copy_location(one, node)) for one in bound or [ast.Pass()]]


def _bound(name: str, module: str) -> ast.Assign:
    call = ast.Call(ast.Name(ABSENT, ast.Load()), [ast.Constant(module)], [])
    return ast.Assign([ast.Name(name, ast.Store())], call)


def without_absent(tree: ast.Module, own: Collection[str], every: bool) -> ast.Module:
    """A source whose import statements of absent packages bind what stands for them.

    Parameters
    ----------
    own : top names that mean what lies in the user's folder
    every : whether all absent packages are meant; only those that show, otherwise
    """
    return _Replaced(own, every).visit(tree)


def where_there(node: ast.ImportFrom) -> ast.stmt:
    """An import statement that binds what stands for names that are not there, see `names_there`."""
    if any(one.name == "*" for one in node.names):
        return node
    given = [
        ast.Name("__import_error__", ast.Load()), ast.Constant(node.module or ""), ast.Constant(node.level),
        ast.Name("__package__", ast.Load()), ast.Tuple([ast.Constant(one.name) for one in node.names], ast.Load()),
    ]  # fmt: skip
    bound = [ast.Name(one.asname or one.name, ast.Store()) for one in node.names]
    target = bound[0] if len(bound) == 1 else ast.Tuple(bound, ast.Store())
    otherwise = ast.Assign([target], ast.Call(ast.Name(THERE, ast.Load()), given, []))
    caught = ast.Tuple([ast.Name(kind, ast.Load()) for kind in ("ImportError", "SyntaxError")], ast.Load())
    handler = ast.ExceptHandler(caught, "__import_error__", [otherwise])
    return ast.fix_missing_locations(ast.copy_location(ast.Try([node], [handler], [], []), node))
