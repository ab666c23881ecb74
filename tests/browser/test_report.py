"""The report of a small run in a real browser: it opens, stays by itself, is accessible, and answers what it is asked.

Needs Chromium and axe-core: `make test-browser` installs them where it may. UNLEARNING_METRIC_CHROMIUM and
UNLEARNING_METRIC_AXE name them elsewhere.
"""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn import ensemble, whole_score
from found import findings, many

from unlearning_metric.errors import plain
from unlearning_metric.metrics.bucket_points import log_tables
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.report.page import comparison_html, report_html
from unlearning_metric.scoring.originals import over_originals

pytestmark = pytest.mark.slow

CHROMIUM = os.environ.get("UNLEARNING_METRIC_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(os.environ.get("UNLEARNING_METRIC_AXE", Path(__file__).parents[2] / ".venv/axe/package/axe.min.js"))

if CHROMIUM is None:
    pytest.skip("no Chromium here: make test-browser installs it where it may", allow_module_level=True)

sync_api = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, finished, request):
    """The report, in the width and colour scheme asked for; what it logged and asked the network for."""
    width, scheme = getattr(request, "param", (1280, "light"))
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda asked: opened.asked.append(asked.url))
    opened.goto(finished.path("results/report.html").as_uri())
    until_drawn(opened)
    yield opened
    opened.close()


def until_drawn(page):
    page.wait_for_function("document.documentElement.dataset.whole === 'yes'")


def act(page, action):
    """Do something that the page answers by drawing anew."""
    before = page.evaluate("Number(document.documentElement.dataset.drawn)")
    action()
    page.wait_for_function("before => Number(document.documentElement.dataset.drawn) > before", arg=before)


def table_of(finished, method):
    return pd.read_parquet(finished.path(f"results/samples_{method}.parquet"))


def document_of(finished, method):
    return json.loads(finished.path(f"results/score_{method}.json").read_text())


@pytest.fixture(scope="module")
def confidences(finished):
    """Group of models -> confidence [models, examples] as the score read it."""

    def load(group):
        paths = sorted(map(str, finished.path(f"results/losses/{group}").glob("*.parquet")))
        return load_ensemble(paths, None, document_of(finished, "finetune")["copies"], ("forget",)).forget.saturated

    return {"retrained": load("retain"), "finetune": load("unlearn/finetune")}


def check_with_axe(page):
    if not AXE.is_file():
        pytest.skip(f"no axe-core at {AXE}: make test-browser fetches it where it may")
    # All of it: what is folded away has contrast too.
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    # What is right of thousands of cells would take longer to hand over than to find.
    violations = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in violations] == []


@pytest.mark.parametrize(
    "page", [(width, scheme) for width in (400, 1280, 1600) for scheme in ("light", "dark")], indirect=True
)
def test_it_opens_by_itself_fits_and_is_accessible(page):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in page.asked if url.startswith("file:")]) == 1
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for row in page.locator(".board tbody tr").all():
        for cell in row.locator("th, td").all():
            box = cell.bounding_box()
            assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width)
    check_with_axe(page)


def test_the_first_screen_answers(page, finished):
    board = json.loads(finished.path("results/leaderboard.json").read_text())
    best = board["rows"][0]["method"]
    assert page.locator(".answer").inner_text().startswith(f"{best} has the best final score")
    last = page.locator(".board tbody tr").last.bounding_box()
    assert last["y"] + last["height"] <= page.viewport_size["height"]


def test_every_image_has_loaded_and_every_chart_is_drawn_and_has_a_table(page):
    for image in page.query_selector_all("img"):
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
        assert image.get_attribute("alt")
    charts = page.locator(".chart").all()
    assert len(charts) >= 5
    page.evaluate("document.querySelectorAll('.behind').forEach(one => one.open = true)")
    page.wait_for_timeout(100)
    for chart in charts:
        assert chart.locator("svg").count() == 1
        assert chart.locator("xpath=..").locator(".behind td").count() > 0


def test_the_pages_search_finds_the_epsilon_of_the_tables_to_the_last_bit(page, finished):
    for place, name in enumerate(page.evaluate("report.data.methods.map(m => m.name)")):
        table = table_of(finished, name)
        found = page.evaluate("place => report.data.boards[0].shown.map(shown => report.searched(place, shown))", place)
        assert len(found) == len(table)
        epsilons = [one["epsilon"] for one in found]
        assert np.array_equal(epsilons, table["epsilon"], equal_nan=True)
        kinds = np.select(
            [table["peaky"], table["infinite"], table["undefined"]], ["peaky", "infinite", "undefined"], "finite"
        )
        assert [one["kind"] for one in found] == kinds.tolist()


def rates_and_epsilon(page):
    return [float(page.locator(name).inner_text().split()[0]) for name in ("#fpr", "#fnr")], float(
        page.locator("#epsilon-of-rule").get_attribute("data-exact")
    )


def test_a_moved_threshold_reads_what_the_metric_computes(page, finished, confidences):
    table = table_of(finished, "finetune")
    place = int(table["epsilon"].where(table["epsilon"] < 50).idxmax())
    act(page, lambda: page.select_option("#method", label="finetune"))
    act(page, lambda: page.select_option("#example", str(place)))
    retrained, unlearned = (confidences[side][:, place] for side in ("retrained", "finetune"))
    above = np.median(retrained) > np.median(unlearned)
    positive, negative = (retrained, unlearned) if above else (unlearned, retrained)
    models = len(retrained)
    room, rate = log_tables(models, 1e-5)
    page.check("#kind-threshold")
    counted = 0
    for threshold in np.quantile(np.concatenate([retrained, unlearned]), [0.2, 0.4, 0.5, 0.6, 0.8]).tolist():
        page.fill("#left-number", repr(threshold))
        fp, fn = int((negative >= threshold).sum()), int((positive < threshold).sum())
        rates, epsilon = rates_and_epsilon(page)
        assert rates == [pytest.approx(fp / models, rel=1e-3), pytest.approx(fn / models, rel=1e-3)]
        if fp and fn:
            counted += 1
            assert epsilon == max(0.0, *(float(v) for v in (room[fp] - rate[fn], room[fn] - rate[fp]) if v == v))
    assert counted
    page.click("#best")
    assert rates_and_epsilon(page)[1] == table["epsilon"][place]


def test_arrow_keys_move_the_threshold_and_the_mouse_does(page):
    page.check("#kind-threshold")
    page.fill("#left-number", repr(sum(float(page.get_attribute("#left", end)) for end in ("min", "max")) / 2))
    before = float(page.input_value("#left-number"))
    page.focus("#left")
    page.keyboard.press("ArrowRight")
    after = float(page.input_value("#left-number"))
    assert after > before
    page.locator("#chart-laws").scroll_into_view_if_needed()
    box = page.locator("#chart-laws svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert float(page.input_value("#left-number")) < after


def test_a_chosen_method_and_example_stand_in_the_text(page, finished):
    table = table_of(finished, "identity")
    act(page, lambda: page.select_option("#method", label="identity"))
    act(page, lambda: page.click("#next"))
    text = page.locator("#example-text").inner_text()
    assert f"Example {table['example'][1]}, label {table['class'][1]}" in text
    assert f"Epsilon under identity: {table['epsilon'][1]:.4g}" in text
    assert page.locator("#example-picture").is_visible()


def test_filters_keep_the_examples_of_a_class_a_difficulty_and_a_range(page, finished):
    document, table = document_of(finished, "finetune"), table_of(finished, "finetune")
    act(page, lambda: page.select_option("#method", label="finetune"))

    def kept():
        counted = int(page.locator("#kept").inner_text().split()[0])
        assert page.locator("#examples-body tr").count() == counted
        return counted, float(page.locator("#kept").get_attribute("data-mean"))

    assert kept() == (len(table), pytest.approx(document["challenge"]["forgetting_score"], abs=1e-12))
    for field, part in (("#by-label", "label"), ("#by-difficulty", "difficulty")):
        name, stratum = next(iter(document["strata"][part].items()))
        act(page, lambda field=field, name=name: page.select_option(field, label=name))
        assert kept() == (stratum["examples"], pytest.approx(stratum["forgetting_score"], abs=1e-12))
        act(page, lambda: page.click("#clear"))
    middle = float(table["epsilon"].median())
    act(page, lambda: page.fill("#epsilon-from", repr(middle)))
    assert kept()[0] == (table["epsilon"] >= middle).sum()


def test_headings_sort_the_examples_and_a_row_chooses_one(page, finished):
    table = table_of(finished, page.locator("#method option").first.inner_text())
    heading = page.locator("#examples-table thead button").first
    heading.focus()
    act(page, lambda: page.keyboard.press("Enter"))
    act(page, lambda: page.keyboard.press("Enter"))
    assert page.locator("#examples-body th").all_inner_texts() == [str(n) for n in sorted(table["example"])]
    act(page, lambda: page.locator("#examples-body button").nth(3).click())
    assert f"Example {sorted(table['example'])[3]}," in page.locator("#example-text").inner_text()


def test_a_box_in_the_comparison_lists_what_is_inside(page, finished):
    names = [page.locator(f"{field} option:checked").inner_text() for field in ("#method", "#other")]
    page.locator("#chart-scatter").scroll_into_view_if_needed()
    svg = page.locator("#chart-scatter svg").bounding_box()
    # From the upper left to the middle.
    page.mouse.move(svg["x"] + svg["width"] * 0.15, svg["y"] + 20)
    page.mouse.down()
    page.mouse.move(svg["x"] + svg["width"] * 0.55, svg["y"] + svg["height"] * 0.6, steps=4)
    page.mouse.up()
    ends = ("epsilon-from", "epsilon-to", "other-from", "other-to")
    low, high, other_low, other_high = (page.input_value(f"#{name}") for name in ends)
    assert low
    assert high
    first, second = (table_of(finished, name)["epsilon"] for name in names)
    # Nothing stands where the box reaches the edge of the chart, at which larger ones are drawn too.
    inside = (first >= float(low)) & (first <= float(high)) & (second >= float(other_low or 0))
    inside &= second <= float(other_high or "inf")
    assert page.locator("#kept").inner_text().startswith(f"{inside.sum()} of {len(first)} examples")


def order(page):
    return page.locator("#leaderboard tbody th").all_inner_texts()


def test_the_whole_leaderboard_sorts_by_click_and_by_key(page):
    page.locator("#leaderboard summary").click()
    heading = page.locator("#leaderboard").get_by_role("button", name="forgetting score")
    heading.click()
    down = [name for name in order(page) if name in ("finetune", "identity")]
    assert page.locator("#leaderboard th[aria-sort=descending]").count() == 1
    heading.click()
    assert [name for name in order(page) if name in ("finetune", "identity")] == down[::-1]
    before = order(page)
    page.locator("#leaderboard").get_by_role("button", name="method").focus()
    page.keyboard.press("Enter")
    assert order(page) == sorted(before)
    page.keyboard.press("Space")
    assert order(page) == sorted(before, reverse=True)
    page.locator("#leaderboard").get_by_role("button", name="rank").click()
    assert set(order(page)[2:]) == {"ceiling: retrained", "floor: original"}


def test_all_of_it_fits_on_paper_and_unfolds_there(page):
    folded = page.locator("details:not([open]):not(.behind)").count()
    assert folded > 0
    count = "window.folded = document.querySelectorAll('details:not([open]):not(.behind)').length"
    page.evaluate(f"addEventListener('beforeprint', () => {{ {count} }})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.folded") == 0
    assert page.locator("details:not([open]):not(.behind)").count() == folded
    page.emulate_media(media="print")
    assert page.locator("#examples-body th").first.inner_text()
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within the browser's own margins
    for part in page.locator("table, .chart svg").all():
        box = part.bounding_box()
        assert box is None or box["x"] + box["width"] <= 718


def test_the_leaderboards_own_page_sorts_and_is_accessible(page, finished):
    page.goto(finished.path("results/leaderboard.html").as_uri())
    page.get_by_role("button", name="method").click()
    names = page.locator("tbody th").all_inner_texts()
    assert names == sorted(names)
    assert page.said == []
    check_with_axe(page)


def test_snakemakes_own_report_is_made_and_opens_without_a_network(page, finished, tmp_path):
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    answer = finished.run("--report", str(tmp_path / "report.zip"), **nowhere)
    assert answer.returncode == 0, answer.stdout
    with zipfile.ZipFile(tmp_path / "report.zip") as packed:
        packed.extractall(tmp_path)
        names = {Path(name).name for name in packed.namelist()}
    assert {"report.html", "leaderboard.html", "utility.png", "models_finetune.png"} <= names
    del page.asked[:]
    page.goto((tmp_path / "report/report.html").as_uri())
    for category in ("Figures", "Leaderboard"):
        assert page.get_by_text(category, exact=True).count() > 0
    page.get_by_text("Leaderboard", exact=True).click()
    page.locator("[iconname=information-circle]").first.click()
    page.get_by_text("what the comparison of all pairs of methods leaves open").first.wait_for(timeout=10_000)
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []


HOSTILE = ("<script>alert(1)</script>", "a|b&amp;_%\"'", "\u202eturned", "l" * 200)


def test_hostile_names_are_text_and_fit(page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(
        report_html(findings(HOSTILE), dict.fromkeys(HOSTILE, "</script><img src=x onerror=alert(2)>")), "utf-8"
    )
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(path.as_uri())
    until_drawn(page)
    assert page.said == []
    assert set(page.locator("#method option").all_inner_texts()) == {plain(name) for name in HOSTILE}
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_page_of_25_methods_and_a_thousand_examples_opens_without_an_error(page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report_html(many(methods=25, examples=1000, models=512), {}), encoding="utf-8")
    page.goto(path.as_uri())
    until_drawn(page)
    assert page.locator(".board tbody tr").count() == 27
    assert page.locator("#examples-body tr").count() == 100
    assert "of the 1000 examples" in page.locator("main").inner_text()
    assert page.said == []


NAMES = ("one", "two", "three")


def opened(page, tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    page.goto(path.as_uri())
    until_drawn(page)


@cache
def boards():
    """Two boards of the same examples, one of other examples, and one without the outputs of its models."""
    other = findings(NAMES)
    other = replace(other, pool="other data")
    without = findings(NAMES)
    laws = replace(without.laws, places=without.laws.places[:0], unlearned={}, retrained=np.empty((0, 0)))
    return {
        "small": findings(NAMES),
        "large": findings(NAMES[:2], models=24),
        "elsewhere": other,
        "without": replace(without, laws=laws),
    }


def choose(page, field, label):
    act(page, lambda: page.select_option(field, label=label))


@pytest.mark.parametrize(
    "page", [(width, scheme) for width in (400, 1280, 1600) for scheme in ("light", "dark")], indirect=True
)
def test_the_page_of_several_boards_fits_and_is_accessible(page, tmp_path):
    opened(page, tmp_path, comparison_html(boards(), {}))
    assert page.said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    check_with_axe(page)
    for chart in page.locator(".chart").all():
        assert chart.locator("svg").count() == 1


def test_any_method_of_any_board_is_attacked_with_that_boards_models(page, tmp_path):
    found = boards()
    opened(page, tmp_path, comparison_html(found, {}))
    for board in ("small", "large"):
        for method in found[board].methods:
            choose(page, "#method", f"{method.name} · {board}")
            place = int(page.input_value("#method"))
            shown = "report.data.boards[report.data.methods[place].board].shown"
            searched = page.evaluate(f"place => {shown}.map(s => report.searched(place, s).epsilon)", place)
            assert np.array_equal(searched, method.samples["epsilon"], equal_nan=True)
            wanted = f"of {found[board].first['copies']})"
            assert page.locator("#fpr").inner_text().endswith(wanted)
    choose(page, "#method", "one · without")
    assert page.locator("#no-outputs").is_visible()
    assert not page.locator("#attack").is_visible()
    assert page.locator("#examples-body tr").count() == 30
    choose(page, "#method", "one · small")
    assert page.locator("#attack").is_visible()


def test_an_example_is_compared_between_boards_of_the_same_data_and_no_other(page, tmp_path):
    found = boards()
    opened(page, tmp_path, comparison_html(found, {}))
    choose(page, "#method", "one · small")
    choose(page, "#other", "one · large")
    tables = [next(m for m in found[board].methods if m.name == "one").samples for board in ("small", "large")]
    cells = [row.locator("th, td").all_inner_texts() for row in page.locator("#examples-body tr").all()]
    by_example = {int(row[0]): row[-2:] for row in cells}
    for place, example in enumerate(tables[0]["example"]):
        assert [float(text) for text in by_example[example]] == pytest.approx(
            [table["epsilon"][place] for table in tables], rel=1e-3
        )
    assert not page.locator("#apart").is_visible()
    choose(page, "#other", "one · elsewhere")
    assert page.locator("#apart").is_visible()
    assert {row.locator("td").last.inner_text() for row in page.locator("#examples-body tr").all()} == {"undefined"}


def test_scores_from_several_originals_have_a_chart_with_a_table(page, tmp_path):
    found = findings(NAMES)
    document = over_originals([whole_score(ensemble(seed)) for seed in (5, 6, 7)]).document
    methods = [replace(m, document={**m.document, "by_original": document["by_original"]}) for m in found.methods]
    opened(page, tmp_path, report_html(replace(found, methods=methods), {}))
    assert page.said == []
    page.locator("#originals ~ figure summary").click()
    # The table is filled once it is opened.
    page.locator("#originals ~ figure td").first.wait_for()
    cells = page.locator("#originals ~ figure td").all_inner_texts()
    shown = [float(text) for text in cells[1::2]]
    assert shown == pytest.approx(document["by_original"]["final_score"]["each"] * 3, rel=1e-3)
    check_with_axe(page)
