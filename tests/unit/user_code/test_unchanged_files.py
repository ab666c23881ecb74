"""A user's file that was edited since the run began stops the job."""

import pytest

from unlearning_metric.keys.origin import content_fingerprint, method_fingerprint
from unlearning_metric.nets.user_nets import NET
from unlearning_metric.user_code.contract import EditedError
from unlearning_metric.user_code.loading import load_function
from unlearning_metric.user_code.unchanged_files import refuse_edited, user_files


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.py").write_text("import layers\n\ndef build():\n    return layers.x\n")
    (tmp_path / "layers.py").write_text("x = 1\n")
    return tmp_path / "net.py"


def provenance(**settings):
    return {"key": "k", "origin": {"settings": settings}}


def test_a_file_as_it_was_and_one_with_another_comment_pass(net):
    made = provenance(model={"file": method_fingerprint(net)})
    refuse_edited(made, {"model.file": net, "training.file": None})
    net.write_text(f"# A remark.\n{net.read_text()}")
    refuse_edited(made, {"model.file": str(net)})


@pytest.mark.parametrize("name", ["net.py", "layers.py"])
def test_an_edited_file_or_helper_is_refused_by_the_name_of_the_file(net, name):
    made = provenance(model={"file": method_fingerprint(net)})
    with open(net.parent / name, "a") as stream:
        stream.write("MORE = 1\n")
    with pytest.raises(EditedError, match=r"net\.py.* was edited"):
        refuse_edited(made, {"model.file": net})


@pytest.mark.parametrize("edited", [True, False])
def test_a_helper_that_is_imported_late_is_still_the_one_that_was_checked(tmp_path, edited):
    (tmp_path / "net.py").write_text("def build():\n    import late\n    return late.x\n")
    (tmp_path / "late.py").write_text("x = 1\n")
    net = tmp_path / "net.py"
    refuse_edited(provenance(model={"file": method_fingerprint(net)}), {"model.file": net})
    build = load_function(net, "build", NET)
    (tmp_path / "late.py").write_text("x = 5\n" if edited else "x = 1  # one\n")
    if edited:
        with pytest.raises(EditedError, match=r"late\.py was edited"):
            build()
    else:
        assert build() == 1


def test_edited_data_are_refused_and_a_file_that_is_gone(tmp_path):
    path = tmp_path / "indices.txt"
    path.write_text("1 2 3")
    made = provenance(forget={"path": content_fingerprint(path)})
    refuse_edited(made, {"forget.path": path})
    path.write_text("1 2 4")
    with pytest.raises(EditedError, match="was edited"):
        refuse_edited(made, {"forget.path": path})
    path.unlink()
    with pytest.raises(EditedError, match="is gone"):
        refuse_edited(made, {"forget.path": path})


def test_what_an_artifact_is_not_made_from_is_not_asked_for(net):
    refuse_edited(provenance(), {"model.file": net, "training.file": "nowhere.py"})
    assert user_files("a.py", None) == {"model.file": "a.py", "training.file": None}
