"""Folders that Snakemake (9.27) does not expect: write-protected, or with braces in the path. No rule stands here."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import snakemake.workflow

RECORDS = Path(".snakemake")


def look_only():
    """A dry run in a folder that cannot be written to: the records are read there, what is written goes aside.

    Snakemake makes folders and keeps a list of file times beside its records, even where it only looks.
    """
    aside = Path(tempfile.mkdtemp(prefix="unlearning-metric-"))
    atexit.register(shutil.rmtree, aside, ignore_errors=True)
    for name in ("metadata", "incomplete"):
        if (RECORDS / name).is_dir():
            (aside / name).symlink_to((RECORDS / name).resolve())
    keep = snakemake.workflow.FilePersistence
    snakemake.workflow.FilePersistence = lambda **given: keep(
        **{**given, "path": aside}
    )


def escaped(path):
    """A file of the workflow for a directive that takes braces for wildcards; as it is where there are none."""
    place = str((Path(workflow.basedir) / "workflow" / "rules" / path).resolve())
    braces = place.replace("{", "{{").replace("}", "}}")
    return path if braces == place else braces


ENVIRONMENT = escaped("../../envs/unlearning.yaml")
PLACE = RECORDS if RECORDS.exists() else Path(".")
if (
    workflow.is_main_process
    and workflow.output_settings.dryrun
    and not os.access(PLACE, os.W_OK)
):
    look_only()
