"""Where the workflow's own files lie, also as a module of another workflow; folders that Snakemake (9.27) does not
expect: write-protected, or with braces in the path. No rule stands here.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import snakemake.workflow
from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import LocalSourceFile

try:
    from unlearning_metric.plan.workflow_files import workflow_folder
except ModuleNotFoundError as error:
    raise WorkflowError(
        "The package unlearning_metric, or a package that it needs, is not installed for this Python "
        f"({sys.executable}: {error}). In a checkout run `make install`, then `source .venv/bin/activate`; elsewhere "
        "`pip install 'unlearning-metric[all]'`."
    ) from error

# The folder of this workflow, whoever imports it: workflow.basedir is that of the importer's Snakefile. Of a workflow
# that Snakemake fetched from a repository, the files of the installed package stand for it.
RULES = workflow.current_basedir
ROOT = (
    Path(os.path.abspath(RULES.get_path_or_uri(secret_free=True))).parents[1]
    if isinstance(RULES, LocalSourceFile)
    else workflow_folder()
)
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
    if not isinstance(RULES, LocalSourceFile):
        return path
    place = str((ROOT / "workflow" / "rules" / path).resolve())
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
