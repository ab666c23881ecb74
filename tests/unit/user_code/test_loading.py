"""Loading files of the user's: each gets the modules beside it, whatever other files import."""

import inspect
import os
import pickle
import sys

import pytest

from unlearning_metric.errors import UserCodeError
from unlearning_metric.nets.user_nets import NET
from unlearning_metric.user_code.failures import own_line
from unlearning_metric.user_code.loading import load_function


def write(folder, **files):
    for name, text in files.items():
        path = folder / (name.replace("__", "/", 1) + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def load(path, function="build"):
    return load_function(path, function, NET)


def test_files_of_two_folders_get_the_helpers_beside_them(tmp_path):
    one, two = (write(tmp_path / name, utils=f"NAME = '{name}'") for name in ("one", "two"))
    text = "import utils\nfrom utils import NAME\n\ndef build():\n    import utils as late\n"
    text += "    return utils.NAME, NAME, late.NAME\n"
    functions = [load(write(folder, net=text) / "net.py") for folder in (one, two)]
    assert [function() for function in functions] == [("one",) * 3, ("two",) * 3]


def test_files_of_one_folder_share_their_helpers(tmp_path):
    write(tmp_path, layers="class Layer:\n    pass", net="from layers import Layer\ndef build():\n    return Layer()")
    write(tmp_path, mine="import net\nfrom layers import Layer\ndef build(one):\n    return isinstance(one, Layer)")
    made = load(tmp_path / "net.py")()
    assert load(tmp_path / "mine.py")(made)
    assert type(pickle.loads(pickle.dumps(made))) is type(made)


@pytest.mark.parametrize(
    "line",
    [
        "import parts.acts\ndef build(): return parts.acts.value",
        "import parts.acts as acts\ndef build(): return acts.value",
        "from parts.acts import value\ndef build(): return value",
        "from parts import acts\ndef build(): return acts.value",
        "from .parts.acts import value\ndef build(): return value",
        "from parts.acts import *\ndef build(): return value",
        "import parts\nimport parts.acts\ndef build(): return parts.acts.value",
        "import parts as p, parts.acts\ndef build(): return p.acts.value",
    ],
)
@pytest.mark.parametrize("init", [True, False])
def test_packages_beside_a_file_are_found_by_every_form_of_import(tmp_path, line, init):
    write(tmp_path, parts__acts="from .base import seven\nimport top\nvalue = seven + top.one", parts__base="seven = 7")
    write(tmp_path, top="one = 1", net=line)
    if init:
        (tmp_path / "parts/__init__.py").write_text("")
    assert load(tmp_path / "net.py")() == 8


def test_a_helper_named_as_an_installed_module_is_the_helper_and_reaches_nobody_else(tmp_path):
    write(tmp_path, numpy="mine = True", net="import numpy\ndef build():\n    return numpy")
    assert load(tmp_path / "net.py")().mine
    assert not hasattr(sys.modules["numpy"], "mine")


def test_loading_leaves_no_trace_in_the_search_path_and_the_folder(tmp_path):
    before = list(sys.path)
    write(tmp_path, helper="x = 1", net="import helper\ndef build():\n    return helper.x")
    assert load(tmp_path / "net.py")() == 1
    assert sys.path == before
    assert "helper" not in sys.modules
    assert sorted(os.listdir(tmp_path)) == ["helper.py", "net.py"]


def test_an_edited_helper_is_read_again(tmp_path):
    write(tmp_path, helper="x = 1", net="import helper\ndef build():\n    return helper.x")
    first = load(tmp_path / "net.py")
    write(tmp_path, helper="x = 22")
    assert (first(), load(tmp_path / "net.py")()) == (1, 22)


def test_a_missing_module_is_called_as_its_file_calls_it(tmp_path):
    write(tmp_path, parts__acts="x = 1", net="import parts.gone\ndef build(): pass")
    (tmp_path / "parts/__init__.py").write_text("")
    with pytest.raises(UserCodeError, match=r"No module named 'parts.gone' .*net.py, line 1: import parts.gone\)") as e:
        load(tmp_path / "net.py")
    assert "unlearning_own" not in str(e.value)


def test_a_name_missing_in_a_helper_is_told_with_the_helpers_file(tmp_path):
    write(tmp_path, helper="x = 1", net="from helper import y\ndef build(): pass")
    with pytest.raises(UserCodeError, match=r"cannot import name 'y' from 'helper' \(.*helper\.py\)"):
        load(tmp_path / "net.py")


def test_a_helper_named_as_a_module_of_the_standard_library_is_told_to_be_renamed(tmp_path):
    write(tmp_path, profile="def layer(): pass", net="from profile import layer\ndef build(): pass")
    with pytest.raises(UserCodeError, match="standard library has a module profile"):
        load(tmp_path / "net.py")


def test_an_attribute_that_a_module_of_the_standard_library_lacks_is_told_too(tmp_path):
    write(tmp_path, profile="def layer(): pass", net="import profile\nprofile.layer\ndef build(): pass")
    with pytest.raises(UserCodeError, match="standard library has a module profile"):
        load(tmp_path / "net.py")


def test_a_folder_that_no_import_of_the_file_reaches_into_is_told_to_be_made_a_package(tmp_path):
    write(tmp_path, helpers__acts="x = 1", net="import helpers\ndef build(): pass")
    with pytest.raises(UserCodeError, match=r"helpers .*__init__"):
        load(tmp_path / "net.py")


def test_a_file_beside_a_package_of_its_name_imports_from_the_package(tmp_path):
    write(tmp_path, net__layers="x = 3", net____init__="", net="from net.layers import x\ndef build():\n    return x")
    assert load(tmp_path / "net.py")() == 3


def test_the_line_of_a_failure_is_found_for_a_function_of_a_package_too(tmp_path):
    write(tmp_path, parts__acts="import deep\ndef build():\n    deep.fail()", deep="def fail():\n    1 / 0")
    build = load(write(tmp_path, net="from parts.acts import build") / "net.py")
    with pytest.raises(ZeroDivisionError) as failure:
        build()
    assert own_line(build, failure.value) == f" ({tmp_path.name}/deep.py, line 2: 1 / 0)"


@pytest.mark.parametrize(
    "text",
    [
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int = 1\n"
        "def build():\n    A().x = 2\n",
        "def build():\n    exec('1 / 0', globals())\n",
    ],
)
def test_a_failure_in_code_made_at_run_time_names_the_line_that_called_it(tmp_path, text):
    build = load(write(tmp_path, net=text) / "net.py")
    with pytest.raises((ZeroDivisionError, AttributeError)) as failure:
        build()
    assert own_line(build, failure.value).startswith(f" ({tmp_path.name}/net.py, line ")


def test_what_is_put_into_builtins_is_seen(tmp_path, monkeypatch):
    build = load(write(tmp_path, net="def build():\n    return put_into_builtins()\n") / "net.py")
    # A name of its own: other threads of this process use the builtins.
    monkeypatch.setattr("builtins.put_into_builtins", lambda: 99, raising=False)
    assert build() == 99


def test_the_source_of_a_function_stays_readable(tmp_path):
    text = "import helper, json\nimport parts.acts\n\ndef build():\n    return helper, parts.acts, json\n"
    write(tmp_path, helper="", parts__acts="", net=text)
    assert inspect.getsource(load(tmp_path / "net.py")) == text.partition("\n\n")[2]


def test_importing_a_file_beside_by_its_name_as_text_is_advised_against(tmp_path):
    text = "import importlib\nimportlib.import_module('helper_by_text')\ndef build(): pass"
    write(tmp_path, helper_by_text="x = 1", net=text)
    with pytest.raises(UserCodeError, match=r"helper_by_text\.py .*import statement"):
        load(tmp_path / "net.py")


def test_the_line_of_a_failure_is_that_of_the_users_deepest_module(tmp_path):
    write(tmp_path, parts__acts="def fail():\n    return 1 / 0")
    write(tmp_path, net="from parts.acts import fail\ndef build():\n    fail()")
    build = load(tmp_path / "net.py")
    with pytest.raises(ZeroDivisionError) as failure:
        build()
    assert own_line(build, failure.value) == f" ({tmp_path.name}/parts/acts.py, line 2: return 1 / 0)"
