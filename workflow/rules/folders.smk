"""Folders that Snakemake (9.27) does not expect: write-protected, or with letters that it or the shell reads otherwise.

No rule stands here.
"""

import atexit
import os
import shlex
import shutil
import sys
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


def name_interpreter():
    """Call this Python by a path without blanks and quotes: Snakemake puts it into a command as it is.

    By way of a link in the folder of the records, relative as the working folder may have such a path too.
    """
    RECORDS.mkdir(exist_ok=True)
    name = "environment"
    link = RECORDS / name
    if not link.is_symlink() or os.readlink(link) != sys.prefix:
        temporary = RECORDS / f"{name}-{os.getpid()}"
        temporary.symlink_to(sys.prefix)
        temporary.replace(link)
    sys.executable = str(link / Path(sys.executable).relative_to(sys.prefix))


def escaped(path):
    """A file of the workflow for a directive that takes braces for wildcards; as it is where there are none."""
    place = str((Path(workflow.basedir) / "workflow" / "rules" / path).resolve())
    braces = place.replace("{", "{{").replace("}", "}}")
    return path if braces == place else braces


ENVIRONMENT = escaped("../../envs/unlearning.yaml")
DRY = workflow.output_settings.dryrun
if workflow.is_main_process and DRY:
    if not os.access(RECORDS if RECORDS.exists() else ".", os.W_OK):
        look_only()
elif shlex.quote(sys.executable) != sys.executable:
    name_interpreter()
