"""Imports modules of the user's folders, each folder under a package of its own.

Python knows one module of a name, and the files of two folders may each import a ``utils`` beside it: so the modules of
a folder are loaded under a package of its own, and their import statements name that package where they mean what lies
in the folder (`local_imports.is_own`).

One more folder in ``sys.path`` would do for one file, but a job may use three: method, net and training, each with what
lies beside it. Rewritten, a statement means the same whenever it runs, and no library's import passes through here.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
from collections.abc import Collection, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from unlearning_metric.keys.local_imports import find_in, imported_files, own_names
from unlearning_metric.keys.notebooks import source_bytes
from unlearning_metric.keys.origin import file_fingerprint
from unlearning_metric.keys.python_source import imports
from unlearning_metric.user_code.absent import (
    ABSENT,
    THERE,
    absent_module,
    default_left_out,
    names_there,
    where_there,
    without_absent,
)
from unlearning_metric.user_code.contract import EditedError
from unlearning_metric.user_code.definitions import LEFT_OUT, definitions

#: How the package begins that holds the modules of a folder of the user's.
PREFIX = "unlearning_own_"


#: File -> fingerprint that it had when it was held against the key of what this job makes.
_CHECKED: dict[str, str] = {}
#: Package and file -> what it was compiled to when it was imported first; `loading.anew` runs that again, whatever the
#: file holds then.
_COMPILED: dict[str, CodeType] = {}


def expect_as_now(path: Path, root: Path | str | None = None, modules: Sequence[str] = ()) -> None:
    """Refuse later imports of a file, and of those beside it that it imports, should they be edited until then."""
    _CHECKED.update(
        (str(file), file_fingerprint(file)) for file in (path.resolve(), *imported_files(path, root, modules))
    )


class _OwnImports(ast.NodeTransformer):
    """Import statements that mean modules of a folder name the package that those are loaded under.

    Parameters
    ----------
    lenient : whether names that are imported and not there matter only where they are used
    """

    def __init__(self, package: str, own: Collection[str], lenient: bool) -> None:
        self.package, self.own, self.lenient = package, own, lenient

    def visit_Try(self, node: ast.Try) -> ast.Try:
        # It says itself what to do without.
        lenient, self.lenient = self.lenient, self.lenient and not node.handlers
        guarded = ast.Module(node.body, [])
        node.body = self.generic_visit(guarded).body
        self.lenient = lenient
        rest = ast.Try([], node.handlers, node.orelse, node.finalbody)
        self.generic_visit(rest)
        node.handlers, node.orelse, node.finalbody = rest.handlers, rest.orelse, rest.finalbody
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        statements = []
        for alias in node.names:
            top, dot, _ = alias.name.partition(".")
            if top not in self.own:
                statements.append(ast.Import([alias]))
            elif dot and alias.asname is None:
                # `import a.b` imports a.b and binds a.
                statements.append(self._import(alias.name, f"_{self.package}"))
                statements.append(self._import(top, top))
            else:
                statements.append(self._import(alias.name, alias.asname or top))
        return [ast.fix_missing_locations(ast.copy_location(one, node)) for one in statements]

    def _import(self, name: str, bound: str) -> ast.Import:
        return ast.Import([ast.alias(f"{self.package}.{name}", bound)])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if not node.level and node.module.partition(".")[0] in self.own:
            node.module = f"{self.package}.{node.module}"
        return where_there(node) if self.lenient and node.module != "__future__" else node


class OwnLoader(SourceFileLoader):
    """Loads a module of the user's, whose import statements find the modules of its own folder first.

    No byte code is kept: that of a file edited twice within a second would be taken for current.
    """

    def get_code(self, fullname: str) -> CodeType:
        key = fullname.partition(".")[0] + self.path
        if key in _COMPILED:
            return _COMPILED[key]
        tree = ast.parse(self.get_data(self.path), self.path)
        package = fullname.partition(".")[0]
        (folder,) = sys.modules[package].__path__
        only_definitions = sys.modules[package].__dict__["__only_definitions__"]
        if only_definitions:
            tree = definitions(tree)
        tree = without_absent(tree, own_names(imports(tree), folder), only_definitions)
        tree = _OwnImports(package, own_names(imports(tree), folder), only_definitions).visit(tree)
        return _COMPILED.setdefault(key, compile(tree, self.path, "exec", dont_inherit=True))

    def get_data(self, path: str) -> bytes:
        if not path.endswith(".ipynb"):
            return super().get_data(path)
        data = source_bytes(path)
        # So that a message shows the line of the code, not of the notebook's file.
        linecache.cache[path] = (len(data), None, data.decode().splitlines(keepends=True), path)
        return data

    def exec_module(self, module: ModuleType) -> None:
        known = module.__name__.partition(".")[0] + self.path in _COMPILED
        if not known and _CHECKED.get(self.path, found := file_fingerprint(self.path)) != found:
            raise EditedError(
                f"{Path(self.path).name} was edited since this job began, before it was imported. Run again."
            )
        module.__dict__["__own_stamp__"] = _stamp(self.path)
        # No function, so that it is none of theirs.
        stand_ins = {ABSENT: partial(absent_module), THERE: partial(names_there), LEFT_OUT: partial(default_left_out)}
        module.__dict__.update(stand_ins)
        super().exec_module(module)


class _OwnFinder:
    """Finds the modules within the packages that stand for the user's folders."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(PREFIX) or path is None:
            return None
        return next(filter(None, (find_in(folder, name, OwnLoader) for folder in path)), None)


sys.meta_path.insert(0, _OwnFinder)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def package_name(folder: Path, only_definitions: bool = False) -> str:
    """Name of the package that stands for a folder."""
    return PREFIX + hashlib.sha256(f"{folder}{'!' * only_definitions}".encode()).hexdigest()[:12]


def drop_edited(folder: Path, only_definitions: bool = False) -> None:
    """Have a folder's modules imported anew where one of them was edited since."""
    name = package_name(folder, only_definitions)
    held = {one: module for one, module in sys.modules.items() if one.partition(".")[0] == name}
    stamps = ((getattr(module, "__own_stamp__", None), module) for module in held.values())
    if any(stamp is not None and stamp != _stamp(module.__file__) for stamp, module in stamps):
        for one in held:
            _COMPILED.pop(name + str(getattr(sys.modules.pop(one), "__file__", "")), None)


def package_of(folder: Path, only_definitions: bool = False) -> str:
    """Name of the package that holds a folder's modules, which is there from now on.

    Parameters
    ----------
    only_definitions : whether its modules are run without what they do besides defining
    """
    name = package_name(folder, only_definitions)
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        package.__dict__["__only_definitions__"] = only_definitions
        sys.modules[name] = package
    return name
