"""The contract: functions read without being run, and text that becomes what the default's type says."""

import pytest

from unlearning_metric.user_code.option_values import converted
from unlearning_metric.user_code.signature import COMPUTED, REQUIRED, read_signature


@pytest.fixture
def read(tmp_path):
    def of(text, function="unlearn", **others):
        for name, content in {"mine": text, **others}.items():
            (tmp_path / f"{name}.py").write_text(content)
        return read_signature(tmp_path / "mine.py", function)

    return of


def test_parameters_and_defaults_are_read_from_the_source(read):
    signature = read("def unlearn(model, retain_loader, lr=-0.1, sizes=(1, 2), *, base=2 * RATE, steps): ...")
    assert signature.defaults == {
        "model": REQUIRED, "retain_loader": REQUIRED, "lr": -0.1, "sizes": (1, 2), "base": COMPUTED, "steps": REQUIRED,
    }  # fmt: skip
    assert signature.certain
    assert not signature.open_ended


def test_a_default_that_python_refuses_is_left_to_python(read):
    assert read("def unlearn(model, by={[1]: 2}): ...").defaults["by"] is COMPUTED


def test_the_file_is_not_run(read):
    assert read("raise SystemExit\n\ndef unlearn(model): ...").defaults == {"model": REQUIRED}


def test_further_keywords_and_decorators_are_seen(read):
    assert read("def unlearn(model, **options): ...").open_ended
    assert not read("@torch.no_grad()\ndef unlearn(model): ...").certain


@pytest.mark.parametrize(
    "text",
    [
        "def unlearn(a): ...\ndef unlearn(model, lr=2): ...",
        "if FAST:\n    def unlearn(model, lr=2): ...",
        "try:\n    import fast\nexcept ImportError:\n    def unlearn(model, lr=2): ...",
        "def main(model, lr=2): ...\nunlearn = main",
        "from _other import unlearn",
        "from _other import main as unlearn",
    ],
)
def test_the_last_function_of_the_name_is_followed_to_where_it_is_defined(read, text):
    other = "def main(model, lr=2): ...\nunlearn = main\n"
    assert read(text, _other=other).defaults == {"model": REQUIRED, "lr": 2}


@pytest.mark.parametrize(
    "text",
    [
        "def unlearn(:",
        "def forget(model): ...",
        "unlearn = functools.partial(main, 1)",
        "from _other import unlearn",
        "from mine import unlearn",
        "unlearn = unlearn",
        "class A:\n    def unlearn(model): ...",
    ],
)
def test_what_only_running_the_file_would_tell_is_left_open(read, text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("3", 1, 3),
        ("-3", 1, -3),
        ("3", 1.0, 3.0),
        ("1e-3", 0.1, 0.001),
        ("true", False, True),
        ("False", True, False),
        ("3", "constant", "3"),
        ("1e-3", "constant", "1e-3"),
        ("head", None, "head"),
        ("null", None, None),
        ("3", REQUIRED, "3"),
        ("1e-3", COMPUTED, "1e-3"),
        (["1", "2"], (0,), [1, 2]),
        (["1", "2"], [0.5], [1.0, 2.0]),
        (["1"], [], ["1"]),
        (3, 0.1, 3),
        (None, 0.1, None),
        ([1], 0.1, [1]),
    ],
)
def test_text_becomes_what_the_type_of_the_default_says(text, default, value):
    found = converted(text, default, "methods.mine.lr")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("3.5", 1, "an integer, like the default 1"),
        ("1e3", 1, "an integer"),
        ("fast", 0.1, "a number, like the default 0.1"),
        ("nan", 0.1, "a number"),
        ("inf", 0.1, "a number"),
        ("yes", True, "true or false, like the default True"),
        ("1", False, "true or false"),
        ("head", (), "a list"),
        ("head", {}, "a mapping"),
    ],
)
def test_text_that_is_none_of_the_type_is_refused(text, default, expected):
    with pytest.raises(ValueError, match=r"^methods\.mine\.lr: ") as caught:
        converted(text, default, "methods.mine.lr")
    assert f'methods.mine.lr: "{text}" is not allowed. Expected {expected}' in str(caught.value)


def test_the_item_of_a_list_that_is_none_of_the_type_is_named():
    with pytest.raises(ValueError, match=r'methods\.mine\.sizes\[1\]: "b" is not allowed\. Expected an integer'):
        converted(["1", "b"], [8], "methods.mine.sizes")


@pytest.mark.parametrize(("text", "advice"), [("1e-3", "1.0e-3"), ("2.5e4", "2.5e+4")])
@pytest.mark.parametrize("default", [None, REQUIRED])
def test_a_number_with_an_exponent_is_refused_with_a_form_that_works_where_no_default_tells_the_type(
    tmp_path, text, advice, default
):
    from unlearning_metric.config import read_yaml

    with pytest.raises(ValueError, match=f"YAML reads {text} as text, .* Write ") as caught:
        converted(text, default, "methods.mine.lr")
    assert str(caught.value).endswith(f"Write {advice}")
    (tmp_path / "config.yaml").write_text(f"lr: {advice}\n")
    assert read_yaml(tmp_path / "config.yaml")["lr"] == float(text)
