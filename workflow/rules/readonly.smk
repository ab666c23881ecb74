"""A dry run in a folder that cannot be written to. No rule stands here.

Snakemake (9.27) makes folders and keeps a list of file times beside its records, even where it only looks. In such a
folder the records are read where they are, and what it writes goes to a temporary folder.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import snakemake.workflow


def look_only(records):
    """Have Snakemake write nothing into the folder of its records."""
    aside = Path(tempfile.mkdtemp(prefix="unlearning-metric-"))
    atexit.register(shutil.rmtree, aside, ignore_errors=True)
    for name in ("metadata", "incomplete"):
        if (records / name).is_dir():
            (aside / name).symlink_to((records / name).resolve())
    keep = snakemake.workflow.FilePersistence
    snakemake.workflow.FilePersistence = lambda **given: keep(
        **{**given, "path": aside}
    )


RECORDS = Path(".snakemake")
if (
    workflow.is_main_process
    and workflow.output_settings.dryrun
    and not os.access(RECORDS if RECORDS.exists() else ".", os.W_OK)
):
    look_only(RECORDS)
