"""Links between files of the repository -> links between pages."""

import os
import re
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parents[1]
#: Page -> file of the repository whose text it shows.
ELSEWHERE = {
    "reference/configuration": "config/README.md",
    "reference/profiles": "profiles/README.md",
    "reference/benchmarks": "benchmarks/README.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
}
_PAGES = {file: page for page, file in ELSEWHERE.items()}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


class LinkError(ValueError):
    """A link to a file that is not there."""


def to_pages(text: str, page: str, origin: str) -> str:
    """A page's text, with links to files of the repository leading to pages; to files that are no page, none.

    Parameters
    ----------
    page : name of the page, without its suffix
    origin : file of the repository that the text is from, against which its links are relative

    Raises
    ------
    LinkError
        Names the page and the link.
    """

    def replaced(link: re.Match[str]) -> str:
        shown, target = link.groups()
        if re.match(r"[a-z]+:|#|<", target):
            return link[0]
        path, _, anchor = target.partition("#")
        file = os.path.normpath(PurePosixPath(origin).parent / path)
        if not (REPOSITORY / file).exists():
            raise LinkError(f"{origin}: there is no {file}, to which a link leads")
        wanted = _PAGES.get(file)
        if wanted is None and file.startswith("docs/") and file.endswith((".md", ".ipynb")):
            wanted = file.removeprefix("docs/").removesuffix(".md").removesuffix(".ipynb")
        if wanted is None:
            return shown if "`" in shown else f"`{shown}`"
        there = os.path.relpath(wanted, PurePosixPath(page).parent)
        return f"[{shown}]({there}.md{'#' + anchor if anchor else ''})"

    return _LINK.sub(replaced, text)
