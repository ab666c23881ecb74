"""The rooms of the package: imports run down this list, and every module has a room in it."""

import ast
from pathlib import Path

import unlearning_metric

PACKAGE = Path(unlearning_metric.__file__).parent
#: From the bottom up: a room imports from those before it, and from itself.
ROOMS = (
    "errors", "seeds", "spelling", "host", "keys", "metrics", "batches",
    "store", "progress", "runtime", "user_code", "data", "strategies",
    "config",
    "nets", "outputs", "forget",
    "training", "scoring",
    "plan", "bank", "unlearning", "leaderboard",
    "report", "jobs", "upkeep", "commands", "pages", "__main__",
)  # fmt: skip


def imported_rooms(file):
    """Rooms that a file imports, anywhere in its source."""
    for statement in ast.walk(ast.parse(file.read_text())):
        if isinstance(statement, ast.Import):
            modules = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            assert not statement.level, f"{file} imports by dots; name the package"
            modules = [f"{statement.module}.{alias.name}" for alias in statement.names]
        else:
            continue
        for parts in (module.split(".") for module in modules):
            if parts[0] == PACKAGE.name and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


def test_imports_run_downward_only():
    files = [file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py"]
    rooms = {file: file.relative_to(PACKAGE).with_suffix("").parts[0] for file in files}
    assert not set(rooms.values()) - set(ROOMS), "a module outside the rooms"
    upward = {
        f"{file.relative_to(PACKAGE)} imports {room}"
        for file, home in rooms.items()
        for room in imported_rooms(file)
        if ROOMS.index(room) > ROOMS.index(home)
    }
    assert not upward
