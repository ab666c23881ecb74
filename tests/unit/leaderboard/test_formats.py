"""The leaderboard as Markdown."""

import copy

import pytest
from drawn import ensemble, score
from test_board import DOCUMENTS, document

from unlearning_metric.leaderboard.board import leaderboard
from unlearning_metric.leaderboard.formats import markdown, rank_text


def rows_of(documents):
    return leaderboard(documents).astype(object).where(lambda frame: frame.notna(), None).to_dict("records")


def tables(text):
    """Cells of the tables in a Markdown text, header and rule included."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


TEXT = markdown(rows_of(DOCUMENTS), DOCUMENTS)


def test_it_says_what_was_run():
    for part in ("digits", "mlp", "N = 64", "30 forget examples", "1 original.", "95 % intervals"):
        assert part in TEXT.splitlines()[0]


@pytest.mark.parametrize(
    ("source", "path", "said"),
    [
        ("npz", "faces.npz", "faces.npz, mlp"),
        ("image_folder", "photos", "image_folder photos, mlp"),
        ("npz", None, "npz, "),
    ],
)
def test_data_of_the_users_go_by_their_name(source, path, said):
    documents = copy.deepcopy(DOCUMENTS)
    for one in documents:
        one["dataset"] = source
        one["provenance"]["configuration"]["data"] = {"source": source} | ({} if path is None else {"path": path})
    assert markdown(rows_of(documents), documents).startswith(said)


def test_every_method_stands_in_order_with_its_interval():
    ranking = tables(TEXT)[0]
    low, high = DOCUMENTS[2]["challenge"]["interval"]["final_score"]["models"]
    assert [row[:3] for row in ranking[2:]] == [
        ["1", "slow", f"0.2000 [{low:.4f}, {high:.4f}]"],
        ["2", "mid", f"0.0333 [{low:.4f}, {high:.4f}]"],
        ["3", "low", f"0.0100 [{low:.4f}, {high:.4f}]"],
        ["4", "none", "-"],
    ]
    within = ranking[0].index("within limit")
    assert [row[within] for row in ranking[2:]] == ["NO", "yes", "yes", "yes"]


@pytest.mark.parametrize("table", tables(TEXT))
def test_columns_are_aligned(table):
    assert len({len(row) for row in table}) == 1


def test_excluded_methods_have_no_rank():
    table = leaderboard(DOCUMENTS, exclude_slow=True).astype(object)
    found = tables(markdown(table.where(table.notna(), None).to_dict("records"), DOCUMENTS))[0]
    assert [(row[0], row[1], row[-1]) for row in found[2:]] == [
        ("1", "mid", "scored"), ("2", "low", "scored"), ("3", "none", "scored"), ("-", "slow", "excluded"),
    ]  # fmt: skip


def test_a_rank_is_a_range_where_the_data_leave_it_open():
    assert rank_text({"rank": 3, "rank_low": 2.0, "rank_high": 4.0}) == "2-4"
    assert rank_text({"rank": 3, "rank_low": 3, "rank_high": 3}) == "3"
    assert rank_text({"rank": 3.0, "rank_low": None, "rank_high": None}) == "3"
    assert rank_text({"rank": None}) == "-"


def test_other_metrics_stand_between_ceiling_and_floor():
    others = tables(TEXT)[1]
    names = [row[0] for row in others[2:]]
    assert names == ["*ceiling: retrained*", "slow", "mid", "low", "none", "*floor: original*"]
    column = others[0].index("KLOM forget")
    section = DOCUMENTS[0]["klom"]["forget"]
    assert others[2][column] == f"{section['ceiling']['mean']:.4f}"
    assert others[3][column] == f"{section['method_like_ceiling']['mean']:.4f}"
    assert others[-1][column] == f"{section['floor']['mean']:.4f}"
    assert f"with {section['ceiling_models']} models a side" in TEXT


def test_the_seed_notebooks_flaw_and_dropped_share_stand_beside_its_score():
    others = tables(TEXT)[1]
    column = others[0].index("seed notebook")
    assert all(row[column].endswith("dropped)") for row in others[2:])
    assert DOCUMENTS[0]["seed"]["flaw"] in TEXT


def test_warnings_stand_below_the_ranking_each_once_with_its_methods():
    warned = [
        {**one, "warnings": ["all of them", *own]} for one, own in zip(DOCUMENTS, (["mine"], *[[]] * 9), strict=False)
    ]
    lines = markdown(rows_of(warned), warned).splitlines()
    assert [line for line in lines if line.startswith("- Warning")] == [
        "- Warning: all of them.",
        f"- Warning ({warned[0]['method']}): mine.",
    ]
    none = [{**one, "warnings": []} for one in DOCUMENTS]
    assert "Warning" not in markdown(rows_of(none), none)


def test_how_a_method_was_run_stands_below_the_ranking():
    tuned = {
        "options": {"lr": 0.1, "steps": 5},
        "by": "final_score",
        "points": [{}] * 6,
        "copies": 16,
        "forget": {"strategy": "random", "size": 20},
        "warnings": [],
    }
    first, *others = DOCUMENTS
    text = markdown(rows_of(DOCUMENTS), [{**first, "tuned": tuned, "cuda": "pretend"}, *others])
    assert (
        f"- Tuned ({first['method']}): lr = 0.1, steps = 5, the best of 6 by final score where 20 other examples were "
        "to be forgotten (N = 16)."
    ) in text
    assert f"- CUDA ({first['method']}): its code asks for it by name" in text
    # Documents of earlier versions say neither.
    earlier = [{name: value for name, value in one.items() if name not in ("tuned", "cuda")} for one in DOCUMENTS]
    assert "Tuned" not in markdown(rows_of(earlier), earlier)


def test_without_intervals_it_says_why():
    few = score(ensemble(1, models=8), ensemble(0, models=8))[0]
    found = {**document("one", 0.1), "challenge": few["challenge"]}
    text = markdown(rows_of([found]), [found])
    assert "No intervals: 8 models a side" in text
    assert "[" not in tables(text)[0][2][3]


def test_html_links_and_control_characters_from_files_stand_there_as_text():
    first = {**DOCUMENTS[0], "dataset": "<img src=x> a|b", "warnings": ["see [this](http://x) \x1b[31m\n# <b>"]}
    reasons = {"late": "ValueError:\n\n<script>alert(1)</script> \\<b>, shape [3, 4]"}
    text = markdown(rows_of([first]), [first], reasons)
    assert "<" not in text.replace(r"\<", "")
    assert "](" not in text
    assert r"see [this]\(http://x) \\x1b[31m # \<b>" in text
    assert r"- late: ValueError: \<script>alert(1)\</script> \\\<b>, shape [3, 4]" in text
