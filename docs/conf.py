"""Sphinx: the pages of docs/, those of other folders, and those that are written from the code."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
import from_code
import links

import unlearning_metric

project = "unlearning-metric"
author = "The unlearning-metric authors"
project_copyright = f"2026, {author}"
release = version = unlearning_metric.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**/README.md"]
html_theme = "furo"
html_title = f"unlearning-metric {release}"
html_static_path = ["_static"]
html_css_files = ["wide-tables.css"]
html_extra_path = ["gallery"]
html_show_sourcelink = False
# Headings have the anchors that they have on code hosts.
myst_heading_anchors = 4
# Blocks of commands and of terminals are no code of one language.
highlight_language = "none"
autodoc_typehints = "none"
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True


def replace_source(app: Sphinx, page: str, source: list[str]) -> None:
    """Put in the text of a page that lies elsewhere or is written from the code, and have its links lead to pages."""
    if page in from_code.PAGES:
        source[0] = from_code.PAGES[page]()
    origin = links.ELSEWHERE.get(page)
    if origin is not None:
        source[0] = (links.REPOSITORY / origin).read_text(encoding="utf-8")
    source[0] = links.to_pages(source[0], page, origin or f"docs/{page}.md")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", replace_source)
