"""Banks by URL or DOI: downloaded once, gone on with where a connection broke off, held against a checksum."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from unlearning_metric.bank.problems import BankError
from unlearning_metric.bank.progress import ByteProgress

_URL = re.compile(r"https?://\S+")
_DOI = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)(10\.[0-9]+/[^/\s]+)(?:/(\S+))?")
#: Tries in a row that bring nothing, after which a download is given up until it is asked for again.
TRIES = 5
#: Seconds before the second of them; then twice as long each time.
PAUSE = 1.0
_TIMEOUT = (10, 60)
#: Bytes that are written at once, and lost where a connection breaks off within them.
_CHUNK = 1 << 14


def is_remote(source: str) -> bool:
    """Whether a bank is named by URL or DOI."""
    return _URL.fullmatch(source) is not None or source.lower().startswith("doi:")


def fetch(source: str, sha256: str | None = None, cache: Path | None = None) -> Path:
    """Download a bank, or find it where it was downloaded before.

    Parameters
    ----------
    source : ``https://...``, or ``doi:10.5281/zenodo.123/bank.zip``; without a name, the only zip file of the DOI
    sha256 : what the file must have; without it, of a DOI the checksum of the archive that keeps it
    cache : folder for downloads; default: the user's cache

    Returns
    -------
    Path of the file

    Raises
    ------
    BankError
        If it cannot be had, or has another checksum.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise BankError(
            f"{source}: to download banks, the package pooch is needed ({error}): pip install pooch. Or download the "
            "file yourself and give its path."
        ) from error

    folder = Path(pooch.os_cache("unlearning-metric")) / "banks" if cache is None else Path(cache)
    url, name, known = _located(source)
    known = f"sha256:{sha256.lower().removeprefix('sha256:')}" if sha256 else known
    # Banks of one name lie in several places.
    name = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
    if known is None and (folder / name).exists():
        print(f"{source}: was downloaded before. Delete {folder / name} to have it downloaded again.")
    pooch.get_logger().setLevel("ERROR")
    try:
        return Path(pooch.retrieve(url, known, name, folder, downloader=Resumed(source)))
    except ValueError as error:
        # pooch says both checksums.
        raise BankError(
            f"{source} is not the bank that was asked for: {error} It was not kept. Hold the checksum against the one "
            "where the bank was published."
        ) from error
    except OSError as error:
        raise BankError(f"{source} could not be downloaded to {folder} ({type(error).__name__}: {error}).") from error


def _located(source: str) -> tuple[str, str, str | None]:
    """URL, file name, and checksum where the archive of a DOI states one."""
    found = _DOI.fullmatch(source)
    if found is None:
        if source.lower().startswith("doi:"):
            raise BankError(f"{source} is no DOI of a file. Write it so: doi:10.5281/zenodo.123/bank.zip")
        name = source.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]
        return source, re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "bank.zip", None
    from pooch.downloaders import doi_to_repository

    doi, name = found[1], found[2]
    listing = _Listing()
    try:
        repository = doi_to_repository(doi)
        repository.populate_registry(listing)
        name = name or _single(listing.registry, source)
        return repository.download_url(name), Path(name).name, listing.registry.get(name)
    except (OSError, ValueError, KeyError) as error:
        # Errors of requests are OSErrors.
        raise BankError(
            f"{source} cannot be resolved ({type(error).__name__}: {error}). Or download the file yourself and give "
            "its path."
        ) from error


class _Listing:
    """What pooch fills with the files of a DOI: name -> checksum."""

    def __init__(self) -> None:
        self.registry: dict[str, str] = {}


def _single(registry: dict[str, str], source: str) -> str:
    zips = [name for name in registry if name.endswith(".zip")]
    if len(zips) != 1:
        raise BankError(
            f"{source} holds {', '.join(sorted(registry)) or 'no files'}: name one, as in {source}/bank.zip"
        )
    return zips[0]


class Resumed:
    """A downloader for pooch that goes on where an earlier try ended, in this process or one before.

    What has come lies beside the target, with what the server said of it: a file that was changed since is begun anew.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download ``url`` to ``output_file``."""
        import requests

        stem = Path(output_file).parent / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        part, notes = stem.with_suffix(".part"), stem.with_suffix(".json")
        idle, progress = 0, None
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                answer = _ask(url, part, notes)
                with answer:
                    total = _total(answer)
                    self._refuse(answer, part, total)
                    progress = progress or ByteProgress(f"{self.source}: downloading", total)
                    _append(answer, part, progress)
                if total is None or part.stat().st_size == total:
                    break
                reason = f"{part.stat().st_size} of {total} bytes came"
            except requests.RequestException as error:
                reason = f"{type(error).__name__}: {error}"
            idle = idle + 1 if (part.stat().st_size if part.exists() else 0) <= before else 0
            if idle >= TRIES:
                raise BankError(
                    f"{self.source} could not be downloaded ({reason}). What has come is kept: the same command goes "
                    "on from there."
                )
            time.sleep(PAUSE * 2**idle if idle else 0)
        os.replace(part, output_file)
        notes.unlink(missing_ok=True)

    def _refuse(self, answer: Any, part: Path, total: int | None) -> None:
        """Raise `BankError` where the server has no such file, or the disk no room for it."""
        if answer.status_code >= 400:
            raise BankError(
                f"{self.source}: the server answers {answer.status_code} {answer.reason}. Look the address up where "
                "the bank was published."
            )
        left = (total or 0) - (part.stat().st_size if part.exists() and answer.status_code == 206 else 0)
        free = shutil.disk_usage(part.parent).free
        if left > free:
            raise BankError(f"{self.source} takes {left / 1e9:.2f} GB more, and {part.parent} has {free / 1e9:.2f} GB "
                            "free. Make room, then run again.")  # fmt: skip


def _ask(url: str, part: Path, notes: Path) -> Any:
    """The answer to a request for what has not come yet, which may be for all of it."""
    import requests

    # Compressed on the way, ranges would be of something else.
    headers = {"Accept-Encoding": "identity"}
    size = part.stat().st_size if part.exists() else 0
    known = _read_notes(notes)
    if size and known.get("url") == url:
        headers["Range"] = f"bytes={size}-"
        if known.get("validator"):
            headers["If-Range"] = known["validator"]
    answer = requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT)
    begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    continues = answer.status_code == 206 and begins is not None and int(begins[1]) == size
    if answer.status_code in (206, 416) and not continues:
        # All of it is there, or the ranges do not fit: only the whole tells.
        answer.close()
        part.unlink(missing_ok=True)
        answer = requests.get(url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=_TIMEOUT)
    if answer.status_code == 200:
        part.unlink(missing_ok=True)
        entity = answer.headers.get("ETag", "")
        # A weak one says nothing of bytes.
        validator = entity if entity and not entity.startswith("W/") else answer.headers.get("Last-Modified")
        notes.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")
    return answer


def _read_notes(notes: Path) -> dict[str, Any]:
    try:
        found = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _total(answer: Any) -> int | None:
    """Bytes of the whole file; None where the server does not say."""
    given = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if given:
        return int(given[1])
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and answer.status_code == 200 else None


def _append(answer: Any, part: Path, progress: ByteProgress) -> None:
    with open(part, "ab") as stream:
        for content in answer.iter_content(_CHUNK):
            stream.write(content)
            progress(len(content))
