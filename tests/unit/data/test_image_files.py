"""Folders of image files: the layout of ImageFolder and that of CASIA-SURF."""

import random
import re
import unicodedata

import numpy as np
import pytest
from PIL import Image
from sources import load

from unlearning_metric.data import memory
from unlearning_metric.data.images import DataError
from unlearning_metric.keys.folder_content import folder_fingerprint

RNG = np.random.default_rng(0)


def save(path, side=8, grey=False, value=None):
    """An image file; without a value its pixels are random."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (side, side) if grey else (side, side, 3)
    pixels = RNG.integers(256, size=shape, dtype=np.uint8) if value is None else np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def folder_of(root, side=8, grey=False, counts=(("train", 3), ("test", 2)), classes=("ant", "bee")):
    made = {"train": [], "test": []}
    for part, count in counts:
        for name in classes:
            made[part] += [save(root / part / name / f"{number}.png", side, grey) for number in range(count)]
    return {part: np.array(images) for part, images in made.items()}


@pytest.mark.parametrize("side", [8, 32, 224])
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_images_and_labels_are_those_of_the_folders(tmp_path, side, grey):
    made = folder_of(tmp_path, side, grey)
    data = load("image_folder", path=str(tmp_path))
    assert data.x_train.shape == (6, side, side, 1 if grey else 3)
    assert np.array_equal(data.x_train.squeeze(), made["train"].squeeze())
    assert np.array_equal(data.x_test.squeeze(), made["test"].squeeze())
    assert (data.y_train.tolist(), data.y_test.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1])
    assert data.classes == ("ant", "bee")


def test_a_thousand_classes_of_unequal_size(tmp_path):
    names = [f"{number:04d}" for number in range(1000)]
    for number, name in enumerate(names):
        for place in range(3 if number == 7 else 1):
            save(tmp_path / "train" / name / f"{place}.pgm", 2, grey=True, value=number % 256)
    save(tmp_path / "test" / "0999" / "0.pgm", 2, grey=True)
    data = load("image_folder", path=str(tmp_path))
    assert data.num_classes == 1000
    assert np.bincount(data.y_train).max() == 3
    assert data.y_test.tolist() == [999]


def test_one_colour_image_among_grey_ones_makes_all_of_them_colour(tmp_path):
    folder_of(tmp_path, grey=True)
    save(tmp_path / "test" / "bee" / "9.png")
    data = load("image_folder", path=str(tmp_path))
    assert data.x_train.shape[-1] == 3
    assert (data.x_train[..., 0] == data.x_train[..., 2]).all()


def test_images_of_several_sizes_are_named_or_brought_to_one(tmp_path):
    folder_of(tmp_path)
    save(tmp_path / "train" / "bee" / "9.png", 11, value=77)
    with pytest.raises(DataError, match=r"9\.png has 11 x 11 pixels, .*0\.png has 8 x 8.*data\.image_size"):
        load("image_folder", path=str(tmp_path))
    data = load("image_folder", path=str(tmp_path), image_size=5)
    assert data.x_train.shape == (7, 5, 5, 3)
    assert (data.x_train[6] == 77).all()


def test_linked_folders_are_read_too(tmp_path):
    made = folder_of(tmp_path / "kept")
    (tmp_path / "train").mkdir()
    (tmp_path / "test").symlink_to(tmp_path / "kept" / "test")
    for name in ("ant", "bee"):
        (tmp_path / "train" / name).symlink_to(tmp_path / "kept" / "train" / name)
    (tmp_path / "kept" / "train" / "ant" / "back").symlink_to(tmp_path / "kept" / "train" / "ant")
    assert np.array_equal(load("image_folder", path=str(tmp_path)).x_train, made["train"])


def stray(root):
    """Images that no user takes for examples, and what is no image."""
    for place in (".ipynb_checkpoints", "@eaDir", "__MACOSX"):
        save(root / "train" / place / "0.png")
        save(root / "train" / "ant" / place / "0.png")
    save(root / "test" / "bee" / "._0.png")
    (root / "train" / "ant" / "Thumbs.db").write_text("")


def test_what_programs_leave_beside_images_is_no_class_and_no_example(tmp_path):
    made = folder_of(tmp_path)
    before = folder_fingerprint(tmp_path)
    stray(tmp_path)
    data = load("image_folder", path=str(tmp_path))
    assert data.classes == ("ant", "bee")
    assert np.array_equal(data.x_train, made["train"])
    assert len(data.x_test) == 4
    assert data.warnings == ()
    assert any(text.startswith("7 entries") and "no data of the user's" in text for text in data.notes)
    assert any("no image by its ending: train/ant/Thumbs.db" in text for text in data.notes)
    # Thumbs.db alone could be read.
    (tmp_path / "train" / "ant" / "Thumbs.db").unlink()
    assert folder_fingerprint(tmp_path) == before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda root: Image.new("P", (8, 8)).save(root / "train/ant/9.gif"),
            r"not in a format that is read .*: train/ant/9\.gif",
        ),
        (
            lambda root: (root / "test/bee/9.HEIC").write_bytes(b""),
            r"not in a format that is read .*: test/bee/9\.HEIC",
        ),
        (lambda root: (root / "train/ant/9.png").symlink_to(root / "gone.png"), r"link to nothing: train/ant/9\.png"),
        (lambda root: (root / "train/cat").symlink_to(root / "gone"), "link to nothing: train/cat"),
        (lambda root: save(root / "train/9.png"), r"in no folder of a class: train/9\.png"),
    ],
    ids=["gif", "heic", "dangling", "dangling class", "beside the classes"],
)
def test_examples_that_may_be_missed_are_warned_of(tmp_path, spoil, said):
    folder_of(tmp_path)
    spoil(tmp_path)
    data = load("image_folder", path=str(tmp_path))
    assert len(data.x_train) == 6
    (warning,) = data.warnings
    assert re.search(said, warning)


def test_class_folders_of_one_word_in_two_unicode_forms_are_one_class(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))
    folder_of(tmp_path, counts=[("train", 2)], classes=[decomposed, "cat"])
    folder_of(tmp_path, counts=[("test", 2)], classes=[composed, "cat"])
    data = load("image_folder", path=str(tmp_path))
    assert data.classes == (composed, "cat")
    assert data.y_test.tolist() == [0, 0, 1, 1]
    save(tmp_path / "train" / composed / "0.png")
    with pytest.raises(DataError, match=r"two folders called .*NFC and NFD"):
        load("image_folder", path=str(tmp_path))


def test_images_of_sixteen_bits_are_not_cut_off(tmp_path):
    folder_of(tmp_path, grey=True)
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "train" / "bee" / "deep.png")
    with pytest.raises(DataError, match=r"deep\.png has more than 8 bits a pixel .*npz"):
        load("image_folder", path=str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "cut off"])
def test_a_corrupt_image_is_named(tmp_path, content):
    folder_of(tmp_path, 32)
    bad = tmp_path / "test" / "ant" / "1.png"
    bad.write_bytes(bad.read_bytes()[:200] if content is None else content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        load("image_folder", path=str(tmp_path))
    assert str(bad) in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: None, "train holds no folder of a class"),
        (lambda root: folder_of(root, counts=[("train", 1)]), "test holds no folder of a class"),
        (lambda root: (folder_of(root), (root / "train" / "cat").mkdir()), "cat holds no image"),
        (
            lambda root: (folder_of(root), save(root / "test" / "dog" / "1.png")),
            "the classes dog, which .*train does not",
        ),
        (lambda root: folder_of(root, classes=["ant"]), "at least two classes"),
    ],
    ids=["nothing", "no test", "empty class", "class of test alone", "one class"],
)
def test_folders_that_do_not_fit_are_refused(tmp_path, spoil, said):
    spoil(tmp_path)
    with pytest.raises(DataError, match=said):
        load("image_folder", path=str(tmp_path))


def test_images_beyond_memory_are_refused_with_the_number_before_any_is_read(tmp_path, monkeypatch):
    folder_of(tmp_path, 224)
    (tmp_path / "train" / "ant" / "1.png").write_bytes((tmp_path / "train" / "ant" / "1.png").read_bytes()[:900])
    monkeypatch.setattr(memory, "available_bytes", lambda: 2_999_999)
    # 10 images of 224 x 224 x 3 bytes, twice: 3.01 MB
    with pytest.raises(DataError, match=r"10 images of 224 x 224 x 3.* 0\.00 GB.*Set a smaller data\.image_size"):
        load("image_folder", path=str(tmp_path))
    monkeypatch.setattr(memory, "available_bytes", lambda: 3_020_000)
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        load("image_folder", path=str(tmp_path))


AGES = {f"{number:03d}": 20 + 2 * number for number in range(1, 26)}


def casia(root, persons=AGES, images=4, grey=None):
    """CASIA-SURF's folders, with the person's number as grey value; (person of each image in the published order)."""
    (root / "WBackground" / "a").mkdir(parents=True)
    lines = [f"{person} {age} {'MF'[age % 2]}" for person, age in persons.items()]
    (root / "Age_Gender.txt").write_text("\n".join(lines) + "\n")
    order = []
    for place, person in enumerate(sorted(persons)):
        folder = root / "WBackground" / "ab"[place % 2] / person / "real.rssdk" / "color"
        for number in range(images):
            save(folder / f"{number}.jpg", 16, value=int(person) if grey is None else grey)
    for folder in sorted((root / "WBackground").glob("*/*")):
        order += [folder.name] * images
    random.Random(43).shuffle(order)
    return order


def test_casia_surf_is_divided_and_labelled_as_published(tmp_path):
    order = casia(tmp_path)
    data = load("casia_surf", path=str(tmp_path))
    assert data.x_train.shape == (90, 32, 32, 3)
    assert data.x_test.shape == (10, 32, 32, 3)
    assert data.validation.tolist() == list(range(80, 90))
    shown = np.concatenate([data.x_train, data.x_test])[:, 0, 0, 0]
    assert shown.tolist() == [int(person) for person in order]
    # Ages 22 to 70: ten groups of width 4.9, from 22 to 71.
    ages = np.array([AGES[person] for person in order])
    assert np.array_equal(np.concatenate([data.y_train, data.y_test]), ((ages - 22) / 4.9).astype(int))
    assert data.num_classes == 10
    assert data.groups_train.tolist() == [int(person) for person in order[:90]]


def test_what_is_not_read_of_casia_surf_is_told(tmp_path):
    casia(tmp_path, {"001": 20, "002": 69})
    color = tmp_path / "WBackground" / "a" / "001" / "real.rssdk" / "color"
    (color / "._0.jpg").write_bytes(b"")
    (color / "9.JPG").write_bytes(b"")
    (tmp_path / "WBackground" / "a" / "@eaDir").mkdir()
    (tmp_path / "WBackground" / "a" / "003").mkdir()
    data = load("casia_surf", path=str(tmp_path))
    assert len(data.x_train) + len(data.x_test) == 8
    said = " ".join(data.notes)
    assert all(part in said for part in ("2 entries", "9.JPG", "without real.rssdk/color: WBackground/a/003"))


def test_persons_without_numbers_are_groups_by_their_place(tmp_path):
    order = casia(tmp_path, {"B7": 20, "A12": 30, "C1": 69}, grey=50)
    assert load("casia_surf", path=str(tmp_path)).groups_train.tolist() == [
        ["A12", "B7", "C1"].index(person) for person in order[:10]
    ]


def test_casia_surf_may_have_age_groups_that_no_image_shows(tmp_path):
    casia(tmp_path, {"001": 20, "002": 69, "003": 21})
    data = load("casia_surf", path=str(tmp_path))
    assert data.num_classes == 10
    assert sorted(set(data.y_train) | set(data.y_test)) == [0, 9]


def test_persons_beyond_64_bits_are_groups_by_their_place(tmp_path):
    casia(tmp_path, {"1": 20, "99999999999999999999": 69}, grey=50)
    assert set(load("casia_surf", path=str(tmp_path)).groups_train.tolist()) <= {0, 1}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "Age_Gender.txt").unlink(), r"Age_Gender\.txt cannot be read"),
        (lambda root: (root / "Age_Gender.txt").write_text(""), "names no person"),
        (lambda root: (root / "Age_Gender.txt").write_text("001 old M\n"), "line 1: '001 old M' is not of the form"),
        (
            lambda root: (root / "Age_Gender.txt").write_text("001 20 M\n001 30 F\n"),
            "line 2: the person 001 is there twice",
        ),
        (lambda root: (root / "Age_Gender.txt").write_text("009 20 M\n"), "person whom .* does not name"),
        (lambda root: (root / "WBackground").rename(root / "Faces"), "holds no image of CASIA-SURF"),
    ],
    ids=["no list", "empty list", "wrong line", "person twice", "person without age", "no images"],
)
def test_a_folder_that_is_not_casia_surf_is_refused(tmp_path, spoil, said):
    casia(tmp_path, {"001": 20, "002": 69})
    spoil(tmp_path)
    with pytest.raises(DataError, match=said):
        load("casia_surf", path=str(tmp_path))
