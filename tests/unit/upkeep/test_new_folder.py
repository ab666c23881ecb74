"""`unlearning-metric init`: a folder that runs without a clone."""

import os
from pathlib import Path

import pytest

from unlearning_metric.__main__ import main
from unlearning_metric.plan.workflow_files import workflow_folder, workflow_parts
from unlearning_metric.upkeep.new_folder import FolderError, write_folder


def test_a_new_folder_holds_the_whole_workflow(tmp_path, capsys):
    assert main(["init", str(tmp_path / "new")]) == 0
    assert workflow_parts(tmp_path / "new") == workflow_parts(workflow_folder())
    assert (tmp_path / "new" / "Snakefile").read_text() == (workflow_folder() / "Snakefile").read_text()
    assert "snakemake" in capsys.readouterr().out
    assert os.access(tmp_path / "new" / "profiles" / "cluster-generic" / "status.sh", os.X_OK)


def test_files_that_are_there_stay_and_missing_ones_come_back(tmp_path, capsys):
    write_folder(tmp_path)
    (tmp_path / "config" / "config.yaml").write_text("copies: 8\n")
    (tmp_path / "methods" / "mine.py").write_text("")
    (tmp_path / "Snakefile").unlink()
    assert main(["init", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path}/config/config.yaml: kept as it is" in said
    assert "1 files written" in said
    assert (tmp_path / "config" / "config.yaml").read_text() == "copies: 8\n"


def test_a_folder_that_cannot_be_written_is_refused_with_its_name(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    with pytest.raises(FolderError, match=r"taken.* cannot be written"):
        write_folder(tmp_path / "taken")
    assert main(["init", str(tmp_path / "taken")]) == 2
    assert "Name another folder" in capsys.readouterr().err


def test_the_doctor_of_a_project_that_imports_the_workflow_knows_the_methods_of_both(tmp_path, monkeypatch, capsys):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text("def unlearn(model):\n    return model\n")
    (tmp_path / "Snakefile").write_text("")
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "score_mine.json" in said
    assert "score_finetune.json" in said
    assert not Path("results").exists()
