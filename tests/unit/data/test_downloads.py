"""Downloaded sources, on tiny data sets in torchvision's own formats on disk."""

import functools
import gzip
import hashlib
import http.server
import pickle
import socket
import tarfile
import threading

import numpy as np
import pytest
import scipy.io
import torchvision
from sources import load

from unlearning_metric.data.images import DataError

RNG = np.random.default_rng(0)


def md5(path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def colours(count: int) -> np.ndarray:
    return RNG.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)


def write_cifar(monkeypatch, root, kind, labels_name, classes) -> dict[str, np.ndarray]:
    """The batches of CIFAR: pickled rows of 1024 red, 1024 green and 1024 blue values; checksums are put in step."""
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    written = {}
    for part, names in (
        ("train", [name for name, _ in kind.train_list]),
        ("test", [name for name, _ in kind.test_list]),
    ):
        images, labels = [colours(4) for _ in names], [RNG.integers(len(classes), size=4) for _ in names]
        for name, x, y in zip(names, images, labels, strict=True):
            entry = {"data": x.transpose(0, 3, 1, 2).reshape(4, -1), labels_name: y.tolist()}
            (folder / name).write_bytes(pickle.dumps(entry))
        monkeypatch.setattr(kind, f"{part}_list", [[name, md5(folder / name)] for name in names])
        written |= {f"x_{part}": np.concatenate(images), f"y_{part}": np.concatenate(labels)}
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: classes}))
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})
    return written


def same(data, written) -> None:
    for name, array in written.items():
        assert np.array_equal(getattr(data, name), array), name


def test_cifar10(monkeypatch, tmp_path):
    classes = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    written = write_cifar(monkeypatch, tmp_path, torchvision.datasets.CIFAR10, "labels", classes)
    data = load("cifar10", path=str(tmp_path))
    same(data, written)
    assert data.x_train.shape == (20, 32, 32, 3)
    assert data.classes == tuple(classes)


def test_cifar100_has_its_fine_labels(monkeypatch, tmp_path):
    classes = [f"class {number}" for number in range(100)]
    written = write_cifar(monkeypatch, tmp_path, torchvision.datasets.CIFAR100, "fine_labels", classes)
    data = load("cifar100", path=str(tmp_path))
    same(data, written)
    assert data.num_classes == 100


def test_svhn(monkeypatch, tmp_path):
    written, entries = {}, dict(torchvision.datasets.SVHN.split_list)
    for part in ("train", "test"):
        x, y = colours(5), np.array([1, 2, 10, 10, 3])
        file = tmp_path / entries[part][1]
        scipy.io.savemat(file, {"X": x.transpose(1, 2, 3, 0), "y": y[:, None]})
        entries[part] = [*entries[part][:2], md5(file)]
        # On disk the digit 0 has the label 10.
        written |= {f"x_{part}": x, f"y_{part}": y % 10}
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", entries)
    same(load("svhn", path=str(tmp_path)), written)


def idx(array: np.ndarray) -> bytes:
    """The format of MNIST's files: two zeros, type 8, number of axes, sizes, values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize(("source", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_and_its_like(tmp_path, source, folder):
    raw = tmp_path / folder / "raw"
    raw.mkdir(parents=True)
    written = {}
    for part, name in (("train", "train"), ("test", "t10k")):
        x, y = RNG.integers(256, size=(6, 28, 28)), RNG.integers(10, size=6)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(x))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(y))
        written |= {f"x_{part}": x[..., None], f"y_{part}": y}
    data = load(source, path=str(tmp_path))
    same(data, written)
    assert data.x_train.shape == (6, 28, 28, 1)
    assert data.num_classes == 10


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """Serves a folder on this machine: (folder, address)."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_not_there_is_downloaded_once_and_unpacked(monkeypatch, tmp_path, site):
    folder, address = site
    kind = torchvision.datasets.CIFAR10
    written = write_cifar(monkeypatch, tmp_path / "made", kind, "labels", [str(number) for number in range(10)])
    package = folder / kind.filename
    with tarfile.open(package, "w:gz") as archive:
        archive.add(tmp_path / "made" / kind.base_folder, kind.base_folder)
    monkeypatch.setattr(kind, "url", f"{address}/{kind.filename}")
    monkeypatch.setattr(kind, "tgz_md5", md5(package))
    same(load("cifar10", path=str(tmp_path / "kept")), written)
    package.unlink()
    same(load("cifar10", path=str(tmp_path / "kept")), written)


def test_mnist_is_downloaded_too(monkeypatch, tmp_path, site):
    folder, address = site
    kind, resources = torchvision.datasets.MNIST, []
    for name, _ in kind.resources:
        array = np.zeros((3, 28, 28)) if "images" in name else np.array([0, 1, 9])
        (folder / name).write_bytes(gzip.compress(idx(array)))
        resources.append((name, md5(folder / name)))
    monkeypatch.setattr(kind, "resources", resources)
    monkeypatch.setattr(kind, "mirrors", [f"{address}/"])
    assert load("mnist", path=str(tmp_path / "kept")).y_train.tolist() == [0, 1, 9]


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_failed_download_says_what_failed_and_the_way_round_it(monkeypatch, tmp_path):
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"http://127.0.0.1:{closed_port()}/cifar.tar.gz")
    with pytest.raises(DataError) as caught:
        load("cifar10", path=str(tmp_path / "kept"))
    for part in (
        "data.source cifar10",
        str(tmp_path / "kept"),
        "refused",
        "source: npz",
        "torchvision.datasets.CIFAR10",
    ):
        assert part in str(caught.value)


def test_a_damaged_download_is_refused(monkeypatch, tmp_path, site):
    folder, address = site
    kind = torchvision.datasets.CIFAR10
    (folder / kind.filename).write_bytes(b"not the archive")
    monkeypatch.setattr(kind, "url", f"{address}/{kind.filename}")
    with pytest.raises(DataError, match="could not be downloaded"):
        load("cifar10", path=str(tmp_path / "kept"))
