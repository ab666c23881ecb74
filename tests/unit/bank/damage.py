"""Sixty ways to damage a bank, and ways to write one again that leave it as it was."""

import hashlib
import io
import json
import stat
import warnings
import zipfile


def members(bank):
    """Name -> content."""
    with zipfile.ZipFile(io.BytesIO(bank)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def written(contents, compression=zipfile.ZIP_STORED, extra=()):
    """A zip file by Python's own writer, without a checksum of its own; ``extra`` are further entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive, warnings.catch_warnings():
        # Of two members of one name.
        warnings.simplefilter("ignore")
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
        for entry, content in extra:
            archive.writestr(entry, content)
    return out.getvalue()


def base_of(contents):
    return next(iter(contents)).partition("/")[0]


def with_manifests(contents):
    """The same with manifests that fit what it holds."""
    base = base_of(contents)
    contents = dict(contents)

    def listed(names):
        lines = [f"{hashlib.sha256(contents[n]).hexdigest()}  {n.removeprefix(base + '/')}\n" for n in sorted(names)]
        return "".join(lines).encode()

    payload, tags = f"{base}/manifest-sha256.txt", f"{base}/tagmanifest-sha256.txt"
    contents[payload] = listed(name for name in contents if name.startswith(f"{base}/data/"))
    contents[tags] = listed(name for name in contents if not name.startswith(f"{base}/data/") and name != tags)
    return contents


def flipped(bank, place):
    return bank[:place] + bytes([bank[place] ^ 0x10]) + bank[place + 1 :]


def with_record(contents, **changes):
    """A bank whose record says something else, with manifests that fit."""
    name = f"{base_of(contents)}/data/results/bank.json"
    record = {**json.loads(contents[name]), **changes}
    return written(with_manifests({**contents, name: json.dumps(record).encode()}))


def entry(name, mode=stat.S_IFREG | 0o644):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def damages(bank, other):
    """Name -> bytes of a damaged bank.

    Parameters
    ----------
    bank, other : two sound banks of the same members
    """
    contents, foreign = members(bank), members(other)
    base = base_of(contents)
    found = {}
    with zipfile.ZipFile(io.BytesIO(bank)) as archive:
        for number, info in enumerate(archive.infolist()):
            start = info.header_offset + 30 + len(info.filename)
            found[f"flip in member {number}"] = flipped(bank, start + info.file_size // 2)
        directory = archive.start_dir
    end = bank.rindex(b"PK\x05\x06")
    for step in range(8):
        place = directory + (end - directory) * step // 8 + step
        found[f"flip in the directory, {step}"] = flipped(bank, place)
    for step in (4, 10, 16, 20, 25, 60):
        found[f"flip in the end, {step}"] = flipped(bank, end + step)
    for part in range(20):
        found[f"cut after {part} twentieths"] = bank[: len(bank) * part // 20]
    split, record = f"{base}/data/results/data/split.npz", f"{base}/data/results/bank.json"
    dump = next(name for name in contents if name.endswith("0000-0031.parquet"))
    manifest = f"{base}/manifest-sha256.txt"
    lost = {name: content for name, content in contents.items() if name != dump}
    swapped = dict(contents)
    second = dump.replace("0000-0031", "0032-0063")
    swapped[dump], swapped[second] = contents[second], contents[dump]
    wrong = contents[manifest].replace(contents[manifest][:8], b"00000000", 1)
    found |= {
        "member of another bank": written({**contents, record: foreign[record]}),
        "members of one bank swapped": written(swapped),
        "members swapped, manifests fit": written(with_manifests(swapped)),
        "outputs of another bank, manifests fit": written(with_manifests({**contents, dump: foreign[dump][:-9]})),
        "two members of one name": written(contents, extra=[(entry(split), contents[split])]),
        "names that differ in case": written(contents, extra=[(entry(split.replace("split", "SPLIT")), b"x")]),
        "name that leaves the folder": written(contents, extra=[(entry(f"{base}/../../evil.py"), b"x")]),
        "absolute name": written(contents, extra=[(entry("/tmp/evil.py"), b"x")]),
        "name of another system": written(contents, extra=[(entry("C:\\evil.py"), b"x")]),
        "symbolic link": written(contents, extra=[(entry(f"{base}/data/x", stat.S_IFLNK | 0o777), b"/etc/passwd")]),
        "link in place of a member": written(lost, extra=[(entry(dump, stat.S_IFLNK | 0o777), contents[dump])]),
        "wrong manifest": written({**contents, manifest: wrong}),
        "wrong manifest, tags fit": written({**with_manifests(contents), manifest: wrong}),
        "bomb": written({**contents, split: bytes(50_000_000)}, zipfile.ZIP_DEFLATED),
        "bomb in place of the record": written(with_manifests({**contents, record: b" " * 30_000_000})),
        "older format": with_record(contents, format=0),
        "newer format": with_record(contents, format=2),
        "no format": with_record(contents, format=None),
        "steps of another version": with_record(contents, versions={"train": 1}),
        "a step that nobody knows": with_record(contents, versions={"distil": 1}),
        "record of something else": with_record(contents, copies=-1),
        "files elsewhere": with_record(contents, files={"../x": {"key": "a", "identity": None}}),
        "member missing": written(lost),
        "member missing, manifests fit": written(with_manifests(lost)),
        "member added": written({**contents, f"{base}/data/more.txt": b"x"}),
        "code added, manifests fit": written(with_manifests({**contents, f"{base}/data/inputs/net.py": b"x = 1\n"})),
        "bytes before": b"MZ" + bank,
        "bytes after": bank + b"\0",
        "bytes after, without a checksum": written(contents) + b"\0",
        "two bags": written(contents, extra=[(entry("other/bagit.txt"), b"x")]),
        "no zip": b"\x93NUMPY" + bytes(5000),
        "nothing": b"",
    }  # fmt: skip
    return found
