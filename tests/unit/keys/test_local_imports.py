"""Which files beside a user's file it imports, from the source alone."""

import pytest

from unlearning_metric.keys.local_imports import imported_files, is_own, own_module


@pytest.fixture
def folder(tmp_path):
    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


def names(folder, file="mine.py"):
    return [path.relative_to(folder).as_posix() for path in imported_files(folder / file)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import layers", ["layers.py"]),
        ("from layers import thing", ["layers.py"]),
        ("from . import layers", ["layers.py"]),
        ("from .layers import thing", ["layers.py"]),
        ("def later():\n    import layers", ["layers.py"]),
        ("import parts.acts", ["parts/__init__.py", "parts/acts.py", "parts/base.py"]),
        ("from parts.acts import relu", ["parts/__init__.py", "parts/acts.py", "parts/base.py"]),
        ("from parts import acts", ["parts/__init__.py", "parts/acts.py", "parts/base.py"]),
        ("from parts import relu", ["parts/__init__.py"]),
        ("from plain.acts import relu", ["layers.py", "plain/acts.py"]),
        ("import plain.deep.er", ["plain/deep/er.py"]),
        ("import torch, json", []),
        ("import absent", []),
    ],
)
def test_modules_and_packages_beside_a_file_count(folder, line, found):
    place = folder(
        {
            "mine.py": line,
            "layers.py": "",
            "unrelated.py": "",
            "parts/__init__.py": "relu = 1",
            "parts/acts.py": "from .base import x",
            "parts/base.py": "x = 1",
            "parts/other.py": "",
            "plain/acts.py": "import layers",
            "plain/deep/er.py": "",
        }
    )
    assert names(place) == found


def test_files_that_import_one_another_end(folder):
    place = folder({"mine.py": "import one", "one.py": "import two", "two.py": "import one, mine"})
    assert names(place) == ["one.py", "two.py"]


def test_a_helper_that_does_not_parse_is_found_and_imports_nothing(folder):
    assert names(folder({"mine.py": "import broken", "broken.py": "import layers\ndef (", "layers.py": ""})) == [
        "broken.py"
    ]


def test_the_standard_library_comes_before_a_file_and_a_file_before_what_is_installed(folder):
    place = folder({"random.py": "", "numpy.py": "", "copy/__init__.py": ""})
    assert not is_own(place, "random")
    assert not is_own(place, "copy")
    assert is_own(place, "numpy")


def test_a_folder_without_init_is_meant_only_where_the_statement_reaches_a_file_of_it(folder):
    place = folder({"wandb/run.py": "", "wandb/logs/a.txt": "", "parts/deep/acts.py": ""})
    assert not is_own(place, "wandb")
    assert not is_own(place, "wandb", ["init", "Api"])
    assert is_own(place, "wandb", ["run"])
    assert is_own(place, "wandb.run")
    assert is_own(place, "parts.deep.acts")
    assert is_own(place, "parts.deep", ["*"])


def test_what_is_meant_is_the_same_from_every_working_folder_and_search_path(folder, monkeypatch, tmp_path_factory):
    place = folder({"helpers/acts.py": ""})
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "helpers.py").write_text("")
    monkeypatch.chdir(elsewhere)
    monkeypatch.syspath_prepend(str(elsewhere))
    assert is_own(place, "helpers.acts")


def test_a_star_may_import_any_module_of_a_package(folder):
    place = folder(
        {"mine.py": "from parts import *", "parts/__init__.py": "", "parts/one.py": "", "parts/sub/__init__.py": ""}
    )
    assert names(place) == ["parts/__init__.py", "parts/one.py", "parts/sub/__init__.py"]


def test_the_file_of_a_module_by_its_dotted_name(folder):
    place = folder({"parts/__init__.py": "", "parts/acts.py": ""})
    assert own_module(place, "parts.acts") == place / "parts/acts.py"
    assert own_module(place, "parts") == place / "parts/__init__.py"
    assert own_module(place, "torch.nn") is None
