"""What a script or notebook defines, without what it does when it is run."""

from __future__ import annotations

import ast

#: Calls that only make a value, by the beginning of their dotted name.
_HARMLESS = (
    "torch.device", "torch.cuda.is_available", "torch.cuda.device_count", "device", "nn.", "torch.nn.", "transforms.",
    "T.", "torchvision.transforms.", "np.array", "np.float32", "torch.tensor", "dict", "list", "tuple", "set", "range",
    "int", "float", "str", "bool", "len", "min", "max", "frozenset", "namedtuple", "collections.namedtuple",
    "os.path.join", "Path", "pathlib.Path", "partial", "functools.partial", "SimpleNamespace", "argparse.Namespace",
    "types.SimpleNamespace", "os.environ.get", "TypeVar", "typing.TypeVar", "logging.getLogger", "torch.Generator",
    "torch.Generator().", "np.random.RandomState", "np.random.default_rng", "random.Random",
)  # fmt: skip
#: What stands for a default that may need what is left out; it gets the default as text and as a function.
LEFT_OUT = "__left_out__"
_DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def definitions(tree: ast.Module) -> ast.Module:
    """The imports, functions, classes and constants of a source; the last of each name counts.

    A constant is what is computed from literals, from other constants and by calls that only make a value, such as
    ``torch.device("cuda" if torch.cuda.is_available() else "cpu")``.
    """
    kept, known = _kept(tree)
    guarded = [_guarded(one) if isinstance(one, ast.Assign | ast.AnnAssign) else one for one in kept]
    return ast.Module(_without_unknown_defaults(guarded, known), [])


def _kept(tree: ast.Module) -> tuple[list[ast.stmt], set[str]]:
    """Statements that `definitions` keeps, and the names that they bind."""
    known = {name for statement in tree.body for name in _defined(statement)}
    kept = []
    for statement in tree.body:
        if _is_kept(statement, known):
            kept.append(statement)
            # What a function assigns is its own.
            known |= set() if isinstance(statement, _DEFINING) else _assigned(statement)
    return kept, known


def _guarded(statement: ast.stmt) -> ast.stmt:
    """A constant that is left out where it cannot be computed, such as an entry of a dictionary filled later."""
    if not any(isinstance(node, ast.Subscript | ast.Call | ast.BinOp) for node in ast.walk(statement)):
        return statement
    handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [ast.Pass()])
    return ast.fix_missing_locations(ast.copy_location(ast.Try([statement], [handler], [], []), statement))


def _without_unknown_defaults(kept: list[ast.stmt], known: set[str]) -> list[ast.stmt]:
    """Statements whose functions have defaults and annotations of what is defined alone.

    ``def train(net, steps=len(loader))`` would fail where ``loader`` is left out, though whoever calls it gives steps.
    """
    for statement in kept:
        if isinstance(statement, ast.ClassDef):
            # Its methods may read what is assigned in its body.
            assigned = [_assigned(one) for one in statement.body if not isinstance(one, _DEFINING)]
            _without_unknown_defaults(statement.body, known.union(*assigned, *map(_defined, statement.body)))
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        given = statement.args
        for defaults in (given.defaults, given.kw_defaults):
            defaults[:] = [
                default if default is None or _names_known(default, known) else _stands_for(default)
                for default in defaults
            ]
        annotated = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        for argument in filter(None, annotated):
            if argument.annotation is not None and not _names_known(argument.annotation, known):
                argument.annotation = None
        if statement.returns is not None and not _names_known(statement.returns, known):
            statement.returns = None
    return kept


def _names_known(node: ast.expr, known: set[str]) -> bool:
    loaded = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load))
    return all(_is_known(part.id, known, node) for part in loaded)


def _stands_for(default: ast.expr) -> ast.expr:
    # A star import may bring what looks unknown: it is tried when the function is defined.
    value = ast.Lambda(ast.arguments([], [], None, [], [], None, []), default)
    call = ast.Call(ast.Name(LEFT_OUT, ast.Load()), [ast.Constant(ast.unparse(default)), value], [])
    return ast.fix_missing_locations(ast.copy_location(call, default))


def _defined(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(one.asname or one.name).partition(".")[0] for one in statement.names}
    return {statement.name} if isinstance(statement, _DEFINING[2:]) else set()


def _assigned(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _is_kept(statement: ast.stmt, known: set[str]) -> bool:
    if isinstance(statement, _DEFINING):
        return True
    if isinstance(statement, ast.Try):
        return all(isinstance(one, (*_DEFINING, ast.Pass)) or _is_kept(one, known) for one in statement.body)
    if isinstance(statement, ast.If):
        parts = [*statement.body, *statement.orelse]
        return _is_constant(statement.test, known) and all(_is_kept(one, known) for one in parts)
    if isinstance(statement, ast.Assign):
        names = all(isinstance(node, ast.Name | ast.Tuple | ast.List) for node in statement.targets)
        return names and _is_constant(statement.value, known)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None and _is_constant(statement.value, known)
    return False


def _is_constant(node: ast.expr, known: set[str]) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = ast.unparse(part.func)
            if not any(name == one or (one[-1] == "." and name.startswith(one)) for one in _HARMLESS):
                return False
        elif isinstance(part, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr) or (
            isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and not _is_known(part.id, known, node)
        ):
            return False
    return True


def _is_known(name: str, known: set[str], node: ast.expr) -> bool:
    bound = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    arguments = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    builtin = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
    # __file__ and the name of the script are there when it is imported, too; `__name__ == "__main__"` is false then.
    return name in known | bound | arguments or name in builtin or name == "__file__"
