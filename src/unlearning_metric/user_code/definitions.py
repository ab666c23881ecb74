"""What a script or notebook defines, without what it does when it is run."""

from __future__ import annotations

import ast

#: Calls that only make a value, by the beginning of their dotted name.
_HARMLESS = (
    "torch.device", "torch.cuda.is_available", "torch.cuda.device_count", "device", "nn.", "torch.nn.", "transforms.",
    "T.", "torchvision.transforms.", "np.array", "np.float32", "torch.tensor", "dict", "list", "tuple", "set", "range",
    "int", "float", "str", "bool", "len", "min", "max", "frozenset", "namedtuple", "collections.namedtuple",
    "os.path.join", "Path", "pathlib.Path", "partial", "functools.partial", "SimpleNamespace", "argparse.Namespace",
    "types.SimpleNamespace", "os.environ.get", "TypeVar", "typing.TypeVar", "logging.getLogger",
)  # fmt: skip
_DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def definitions(tree: ast.Module) -> ast.Module:
    """The imports, functions, classes and constants of a source; the last of each name counts.

    A constant is what is computed from literals, from other constants and by calls that only make a value, such as
    ``torch.device("cuda" if torch.cuda.is_available() else "cpu")``.
    """
    known = {name for statement in tree.body for name in _defined(statement)}
    kept = []
    for statement in tree.body:
        if _is_kept(statement, known):
            kept.append(statement)
            known |= _assigned(statement)
    return ast.Module(kept, [])


def left_out(tree: ast.Module) -> dict[str, int]:
    """Names that a source assigns and `definitions` leaves out -> line."""
    kept = {id(statement) for statement in definitions(tree).body}
    dropped = [statement for statement in tree.body if id(statement) not in kept]
    stored = ((node, one) for one in dropped for node in ast.walk(one) if isinstance(node, ast.Name))
    return {node.id: one.lineno for node, one in stored if isinstance(node.ctx, ast.Store)}


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
