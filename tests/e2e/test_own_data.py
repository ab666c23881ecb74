"""A user's own data through the real chain: tables with classes of any name, folders of images."""

import numpy as np
import pytest
from PIL import Image

from unlearning_metric.store.files import read_document, read_npz

pytestmark = pytest.mark.slow

CLASSES = np.array(["<b>cat", 'd"o&g', "é 🙂", "eel"])
RNG = np.random.default_rng(0)
#: Unbalanced, so that the forgotten class is the smallest.
LABELS = np.repeat(np.arange(4), [90, 60, 40, 20])
CENTRES = RNG.normal(scale=2.0, size=(4, 6))


def vectors(labels):
    return (CENTRES[labels] + RNG.normal(size=(len(labels), 6))).astype(np.float32)


@pytest.fixture(scope="module")
def table(tmp_path_factory, new_workflow):
    """A whole run on feature vectors, which forgets a class by its name; three of its examples are retained as well."""
    copy = new_workflow(tmp_path_factory.mktemp("table") / "workflow").only("identity", "finetune")
    x = vectors(LABELS)
    x[:3] = x[-3:]
    test = np.arange(4).repeat(10)
    np.savez(
        copy.path("table.npz"), x_train=x, y_train=CLASSES[LABELS], x_test=vectors(test), y_test=CLASSES[test],
        groups_train=np.arange(len(x)) // 7,
    )  # fmt: skip
    copy.configure(
        data={"source": "npz", "path": "table.npz"},
        forget={"strategy": "class", "label": "eel"},
        model={"name": "mlp", "hidden": [16]},
        training={"lr": 0.05, "epochs": 5, "batch_size": 16},
    )
    answer = copy.run("--cores", "2")
    assert answer.returncode == 0, answer.stdout
    copy.first_output = answer.stdout
    return copy


def test_a_table_is_scored_like_images(table):
    split, _ = read_npz(table.path("results/data/split.npz"))
    assert split["forget"].tolist() == list(range(190, 210))
    document = read_document(table.path("results/score_finetune.json"))
    assert document["forget"]["size"] == 20
    # Nobody who never saw the class knows it.
    assert document["utility"]["forget"]["retrained"] == 0
    assert document["utility"]["retain"]["retrained"] > 0.8
    assert set(document["strata"]["group"]) == {"27", "28", "29"}


def test_duplicates_are_counted_in_log_and_score(table):
    said = "3 of 20 forget examples are in the retain set as well"
    assert said in table.path("results/logs/split_data.log").read_text()
    for method in ("finetune", "identity"):
        assert any(said in one for one in read_document(table.path(f"results/score_{method}.json"))["warnings"])


def test_the_log_names_a_class_that_retain_lacks(table):
    assert "no retain example is of: eel" in table.path("results/logs/split_data.log").read_text()


def test_its_report_has_no_pictures_and_names_the_class(table):
    text = table.path("results/report.html").read_text()
    assert '<img src="data:image' not in text
    assert "eel" in text
    assert len(list(table.path("results/figures").glob("*.png"))) > 5


def test_another_place_of_the_table_reruns_nothing_and_another_content_everything(table):
    table.path("moved.npz").write_bytes(table.path("table.npz").read_bytes())
    try:
        moved = table.path("config/config.yaml").read_text().replace("table.npz", "moved.npz")
        table.write("config/moved.yaml", moved)
        assert table.counts("--configfile", "config/moved.yaml") == {}
        arrays = dict(np.load(table.path("table.npz")))
        arrays["x_test"] += 1
        np.savez(table.path("moved.npz"), **arrays)
        counts = table.counts("--configfile", "config/moved.yaml")
        assert (counts["prepare_data"], counts["split_data"], counts["train_retain"]) == (1, 1, 2)
    finally:
        table.path("moved.npz").unlink()


def test_a_folder_of_images_up_to_its_split(workflow):
    for part, count in (("train", 6), ("test", 2)):
        for name in ("7", "12", "300"):
            folder = workflow.path(f"images/{part}/{name}")
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(RNG.integers(256, size=(9, 9, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    workflow.configure(
        data={"source": "image_folder", "path": "images", "image_size": 8},
        forget={"strategy": "subclass", "labels": [12, "7"], "count": 4},
    )
    made = workflow.run("--cores", "1", "results/data/split.npz")
    assert made.returncode == 0, made.stdout
    data, header = read_npz(workflow.path("results/data/dataset.npz"))
    split, _ = read_npz(workflow.path("results/data/split.npz"))
    # Folders are in the order of their names: 12, 300, 7.
    assert header["classes"] == ["12", "300", "7"]
    assert set(data["y_train"][split["forget"]]) <= {0, 2}

    assert workflow.counts("results/data/split.npz") == {}
    Image.new("RGB", (9, 9)).save(workflow.path("images/train/7/0.png"))
    assert workflow.counts("results/data/split.npz") == {"prepare_data": 1, "split_data": 1}
    workflow.path("images/train/7/0.png").write_bytes(b"damaged")
    spoilt = workflow.run("--cores", "1", "results/data/split.npz")
    assert spoilt.returncode != 0
    assert "images/train/7/0.png cannot be read as an image" in spoilt.stdout
