"""BagIt (RFC 8493): the files that say, of a folder of files, what each of them holds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from unlearning_metric.bank.archive import GET_AGAIN, Archive, Progress
from unlearning_metric.bank.problems import BankError

DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
#: Folder of the bag that holds what is preserved.
PAYLOAD = "data"
_DECLARED = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def tag_files(payload: Mapping[str, tuple[str, int]], described: Mapping[str, bytes], about: Mapping[str, str]) -> dict[
    str, bytes
]:  # fmt: skip
    """Files of a bag beside its payload.

    Parameters
    ----------
    payload : path within the payload -> its sha256, and bytes
    described : further files at the top, by name
    about : what `INFO` says, by the names of the standard
    """
    octets = sum(size for _, size in payload.values())
    info = {**about, "Payload-Oxum": f"{octets}.{len(payload)}"}
    files = {
        DECLARATION: _DECLARED.encode(),
        INFO: "".join(f"{name}: {' '.join(text.split())}\n" for name, text in info.items()).encode(),
        MANIFEST: _manifest({f"{PAYLOAD}/{name}": digest for name, (digest, _) in payload.items()}),
        **described,
    }
    tags = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**files, TAG_MANIFEST: _manifest(tags)}


def _manifest(digests: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def base_folder(archive: Archive) -> str:
    """The folder of the archive that is the bag. Raises `BankError` where there is not exactly one."""
    folders = sorted({name.partition("/")[0] for name in archive.sizes})
    if len(folders) != 1:
        raise BankError(
            f"{archive.path} holds {', '.join(folders[:5]) or 'nothing'}: a bank holds one folder. {GET_AGAIN}"
        )
    if f"{folders[0]}/{DECLARATION}" not in archive.sizes:
        raise BankError(f"{archive.path} is no bank: {folders[0]}/{DECLARATION} is missing. Banks are made by "
                        "`python -m unlearning_metric bank make`.")  # fmt: skip
    return folders[0]


def check_bag(archive: Archive, progress: Progress) -> str:
    """Hold every member of an archive against the manifests.

    Returns
    -------
    The folder of the archive that is the bag

    Raises
    ------
    BankError
        Names the member and both checksums.
    """
    base = base_folder(archive)
    names = {name.partition("/")[2] for name in archive.sizes}
    if lost := {INFO, MANIFEST, TAG_MANIFEST} - names:
        raise BankError(f"{archive.path} is no bank: {base}/{min(lost)} is missing. {GET_AGAIN}")
    if archive.text(f"{base}/{DECLARATION}") != _DECLARED:
        raise BankError(f"{archive.path}: {base}/{DECLARATION} does not say BagIt 1.0 in UTF-8. {GET_AGAIN}")
    payload, tags = (_listed(archive, base, name) for name in (MANIFEST, TAG_MANIFEST))
    of_payload = {name for name in names if name.startswith(f"{PAYLOAD}/")}
    _refuse_other_names(archive, MANIFEST, payload, of_payload)
    _refuse_other_names(archive, TAG_MANIFEST, tags, names - of_payload - {TAG_MANIFEST})
    for name, stated in {**tags, **payload}.items():
        content = hashlib.sha256()
        for part in archive.parts(f"{base}/{name}"):
            content.update(part)
            progress(len(part))
        if content.hexdigest() != stated:
            raise BankError(
                f"{archive.path} is damaged: the sha256 of {base}/{name} is {content.hexdigest()}, "
                f"{MANIFEST if name in payload else TAG_MANIFEST} says {stated}. {GET_AGAIN}"
            )
    return base


def _listed(archive: Archive, base: str, manifest: str) -> dict[str, str]:
    """Name -> sha256, as a manifest says."""
    found: dict[str, str] = {}
    for line in archive.text(f"{base}/{manifest}").splitlines():
        entry = _LINE.fullmatch(line)
        if entry is None or entry[2] in found:
            raise BankError(f"{archive.path}: {base}/{manifest} has the line {line[:200]!r}, which is none of a "
                            f"manifest or repeats a name. {GET_AGAIN}")  # fmt: skip
        found[entry[2]] = entry[1]
    return found


def _refuse_other_names(archive: Archive, manifest: str, listed: Iterable[str], present: Iterable[str]) -> None:
    listed, present = set(listed), set(present)
    if lost := listed - present:
        raise BankError(f"{archive.path}: {min(lost)} stands in {manifest} and is missing. {GET_AGAIN}")
    if more := present - listed:
        raise BankError(f"{archive.path}: {min(more)} is not in {manifest}. {GET_AGAIN}")
