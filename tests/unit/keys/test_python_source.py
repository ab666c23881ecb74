"""Sources: blind to what changes no number, and to nothing else; every import statement is found."""

import ast

import pytest

from unlearning_metric.keys.python_source import Import, Source, imports, read_source, tree_fingerprint

SOURCE = '''"""Doc."""

import math


def area(radius, scale=None, *rest, flag=False):
    """Area."""
    if scale is None:
        scale = 1
    return [math.pi * radius**2 * scale for _ in rest if flag]
'''


def fingerprint(source: str) -> str:
    return tree_fingerprint(ast.parse(source))


def changed(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1
    return SOURCE.replace(old, new)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("# remark\n" + changed("scale = 1\n", "scale = 1  # one\n"), id="comment"),
        pytest.param(changed('"""Area."""', '"""Other words."""'), id="function docstring"),
        pytest.param(changed('    """Area."""\n', ""), id="docstring removed"),
        pytest.param(changed('"""Doc."""', '"""Other."""'), id="module docstring"),
        pytest.param(changed("math.pi * radius**2", "(math.pi\n        * radius ** 2)"), id="formatting"),
    ],
)
def test_comments_docstrings_and_formatting_leave_the_fingerprint(source):
    assert fingerprint(source) == fingerprint(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("scale = 1\n", "scale = 2\n", id="constant"),
        pytest.param("scale = 1\n", "scale = 1.0\n", id="type of a constant"),
        pytest.param("scale = 1\n", "scale = True\n", id="one to True"),
        pytest.param("radius**2", "radius*2", id="operator"),
        pytest.param("scale=None", "scale=0", id="default None to 0"),
        pytest.param("is None", "is 0", id="compared None to 0"),
        pytest.param("is None", "is not None", id="comparison"),
        pytest.param("math.pi", "math.e", id="name"),
        pytest.param(" if flag]", "]", id="condition dropped"),
        pytest.param("*rest, flag=False", "flag=False, *rest", id="order of parameters"),
    ],
)
def test_a_change_that_can_change_a_number_changes_the_fingerprint(old, new):
    assert fingerprint(changed(old, new)) != fingerprint(SOURCE)


@pytest.mark.parametrize(
    ("one", "other"),
    [("x = a[1:]", "x = a[:1]"), ("return None", "return 0"), ("x = {**a}", "x = {None: a}"), ("x = -a", "x = +a")],
)
def test_small_but_real_differences_are_seen(one, other):
    wrap = "def f(a):\n    {}\n"
    assert fingerprint(wrap.format(one)) != fingerprint(wrap.format(other))


def test_fingerprints_are_the_same_on_every_python():
    # Syntax trees gain fields from one Python version to the next; the fingerprint must not follow them.
    assert fingerprint(SOURCE) == "939b7280d2a454ea"


def test_every_import_statement_is_found_wherever_it_stands():
    source = """
import a, b.c as d
from .. import up
async def f():
    from e import g, h as i
    try:
        import j
    except* OSError:
        import k
    else:
        import l
    finally:
        import m
    match d:
        case 1:
            import n
    class Inner:
        if g:
            pass
        elif h:
            from .o import *
        else:
            with g as p, h:
                for _ in p:
                    while True:
                        import q
"""
    found = set(imports(ast.parse(source)))
    modules = [Import(0, name) for name in ("a", "b.c", *"jklmnq")]
    assert found == {*modules, Import(2, "", ("up",)), Import(0, "e", ("g", "h")), Import(1, "o", ("*",))}


def test_a_file_is_read_again_once_it_was_edited(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("import one\n")
    first = read_source(path)
    assert first == Source(fingerprint("import one"), (Import(0, "one"),))
    path.write_text("import other\n")
    assert read_source(path) == Source(fingerprint("import other"), (Import(0, "other"),))


@pytest.mark.parametrize("data", [b"def f(:\n", b"x = '\xff'\n", b"a = 1\x00"])
def test_what_does_not_parse_has_the_fingerprint_of_its_bytes_and_imports_nothing(tmp_path, data):
    path = tmp_path / "own.py"
    path.write_bytes(data)
    first = read_source(path)
    assert first.imports == ()
    path.write_bytes(data + b" ")
    assert read_source(path).fingerprint != first.fingerprint


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfimport a\n", b"# -*- coding: latin-1 -*-\nimport a  # \xe9\n"])
def test_files_in_other_encodings_are_read_as_python_reads_them(tmp_path, data):
    path = tmp_path / "own.py"
    path.write_bytes(data)
    assert read_source(path) == Source(fingerprint("import a"), (Import(0, "a"),))


@pytest.mark.parametrize("value", ["0x" + 4000 * "f", "1" + 1500 * " + 1"], ids=["many digits", "very deep"])
def test_what_has_no_fingerprint_as_code_has_that_of_its_bytes_and_its_imports(tmp_path, value):
    path = tmp_path / "own.py"
    path.write_text(f"import a\nMASK = {value}\n")
    first = read_source(path)
    assert first.imports == (Import(0, "a"),)
    path.write_text(f"import a\nMASK = {value}  # the same\n")
    assert read_source(path).fingerprint != first.fingerprint
