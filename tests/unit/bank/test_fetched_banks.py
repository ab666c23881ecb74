"""Banks by address: a server that breaks off, one that has another file by now, and what cannot be had."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from unlearning_metric.bank import BankError, fetch

pytest.importorskip("pooch")


class Server:
    """A server of one file, which may break off after some bytes of an answer."""

    def __init__(self):
        self.content, self.tag, self.breaks, self.ranges, self.asked = b"", '"one"', [], True, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/banks/digits.zip"

    def answer(self, request):
        if not request.path.endswith("digits.zip"):
            request.send_error(404)
            return
        wanted = request.headers.get("Range")
        start = 0
        if wanted and self.ranges and request.headers.get("If-Range") in (None, self.tag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.asked.append(start)
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(self.content) - start))
        request.send_header("ETag", self.tag)
        request.end_headers()
        end = start + self.breaks.pop(0) if self.breaks else len(self.content)
        request.wfile.write(self.content[start:end])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()
    made.thread.join()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_off_is_gone_on_with(server, digits, tmp_path, ranges):
    server.content, server.ranges, server.breaks = digits.read_bytes(), ranges, [400_000, 300_000]
    found = fetch.fetch(server.url, sha256(server.content), tmp_path)
    assert found.read_bytes() == server.content
    assert len(server.asked) == 3
    # What came of a last part that broke off may be lost.
    wanted = [0, 400_000, 700_000] if ranges else [0, 0, 0]
    assert all(0 <= want - asked < 40_000 for want, asked in zip(wanted, server.asked, strict=True))
    # Once it is there, nobody is asked.
    assert fetch.fetch(server.url, sha256(server.content), tmp_path) == found
    assert len(server.asked) == 3
    assert [path.name for path in tmp_path.iterdir()] == [found.name]


def test_a_download_that_was_given_up_goes_on_in_the_next_run(server, digits, tmp_path):
    server.content, server.breaks = digits.read_bytes(), [500_000, *[0] * fetch.TRIES]
    with pytest.raises(BankError, match="the same command"):
        fetch.fetch(server.url, None, tmp_path)
    assert fetch.fetch(server.url, None, tmp_path).read_bytes() == server.content
    assert 460_000 < server.asked[-1] <= 500_000


def test_a_file_that_was_changed_since_is_begun_anew(server, digits, tmp_path):
    server.content, server.breaks = b"x" * 900_000, [500_000, *[0] * fetch.TRIES]
    with pytest.raises(BankError):
        fetch.fetch(server.url, None, tmp_path)
    server.content, server.tag = digits.read_bytes(), '"two"'
    assert fetch.fetch(server.url, None, tmp_path).read_bytes() == server.content


def test_another_checksum_is_refused_with_both_and_nothing_is_kept(server, tmp_path):
    server.content = b"not what was published"
    with pytest.raises(BankError, match="not the bank") as refused:
        fetch.fetch(server.url, "0" * 64, tmp_path)
    assert sha256(server.content) in str(refused.value)
    assert "0" * 64 in str(refused.value)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".zip", ".part")]


def test_what_is_not_there_is_said(server, tmp_path):
    with pytest.raises(BankError, match="the server answers 404"):
        fetch.fetch(server.url.replace("digits", "other"), None, tmp_path)
    server.http.server_close()
    with pytest.raises(BankError, match="could not be downloaded"):
        fetch.fetch("http://127.0.0.1:9/digits.zip", None, tmp_path)


def test_a_file_beyond_the_disk_is_not_begun(server, tmp_path, monkeypatch):
    server.content = b"x" * 1000
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(BankError, match="Make room"):
        fetch.fetch(server.url, None, tmp_path)


class Archive:
    """An archive that keeps the files of a DOI."""

    def __init__(self, url, files):
        self.url, self.files = url, files

    def populate_registry(self, listing):
        listing.registry.update(self.files)

    def download_url(self, name):
        return self.url


def test_a_doi_is_resolved_and_its_checksum_held(server, digits, tmp_path, monkeypatch):
    server.content = digits.read_bytes()
    good = f"md5:{hashlib.md5(server.content).hexdigest()}"
    files = {"digits.zip": good, "notes.txt": "md5:0"}
    monkeypatch.setattr("pooch.downloaders.doi_to_repository", lambda doi, **_: Archive(server.url, files))
    for source in ("doi:10.5281/zenodo.123/digits.zip", "doi:10.5281/zenodo.123", "https://doi.org/10.5281/zenodo.123"):
        assert fetch.fetch(source, None, tmp_path).read_bytes() == server.content
    files["digits.zip"] = f"md5:{'0' * 32}"
    with pytest.raises(BankError, match="not the bank"):
        fetch.fetch("doi:10.5281/zenodo.123", None, tmp_path / "other")
    files["more.zip"] = good
    with pytest.raises(BankError, match=r"digits.zip, more.zip, notes.txt: name one"):
        fetch.fetch("doi:10.5281/zenodo.123", None, tmp_path)


def test_only_addresses_and_dois_are_fetched():
    assert fetch.is_remote("https://example.org/x.zip")
    assert fetch.is_remote("doi:10.5281/zenodo.123/x.zip")
    assert not fetch.is_remote("file:///etc/passwd")
    assert not fetch.is_remote("banks/https.zip")
    with pytest.raises(BankError, match="DOI"):
        fetch.fetch("doi:nonsense")
