"""The report of a small run in a real browser: it opens, stays by itself, sorts, fits narrow screens, is accessible.

Needs Chromium and axe-core: `make test-browser` installs them where it may. UNLEARNING_METRIC_CHROMIUM and
UNLEARNING_METRIC_AXE name them elsewhere.
"""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from found import many

from unlearning_metric.report.page import report_html

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
    width, scheme = getattr(request, "param", (1600, "light"))
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda asked: opened.asked.append(asked.url))
    opened.goto(finished.path("results/report.html").as_uri())
    yield opened
    opened.close()


EVERY_SCREEN = pytest.mark.parametrize(
    "page", [(width, scheme) for width in (400, 1600) for scheme in ("light", "dark")], indirect=True
)


@EVERY_SCREEN
def test_it_opens_without_an_error_or_a_request(page):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in page.asked if url.startswith("file:")]) == 1


def test_every_image_has_loaded_and_says_what_it_is(page):
    for image in page.query_selector_all("img"):
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
        assert image.get_attribute("alt")
    assert page.locator("svg").count() > 3


def order(page):
    return page.locator("#leaderboard ~ .scroll tbody th").all_inner_texts()


def test_a_click_sorts_the_leaderboard_and_another_turns_it_round(page):
    heading = page.get_by_role("button", name="forgetting score")
    heading.click()
    down = [name for name in order(page) if name in ("finetune", "identity")]
    assert page.locator("#leaderboard ~ .scroll th[aria-sort=descending]").count() == 1
    heading.click()
    assert [name for name in order(page) if name in ("finetune", "identity")] == down[::-1]
    assert down == ["finetune", "identity"]


def test_the_keyboard_sorts_as_well(page):
    before = order(page)
    page.get_by_role("button", name="method").first.focus()
    page.keyboard.press("Enter")
    assert order(page) == sorted(before)
    page.keyboard.press("Space")
    assert order(page) == sorted(before, reverse=True)


def test_the_first_click_on_the_rank_puts_the_best_first_and_what_has_no_rank_last(page):
    page.get_by_role("button", name="rank").click()
    assert order(page)[:2] == ["finetune", "identity"]
    assert set(order(page)[2:]) == {"ceiling: retrained", "floor: original"}


@EVERY_SCREEN
def test_names_and_final_scores_are_in_sight_without_scrolling(page):
    width = page.viewport_size["width"]
    column = page.locator("#leaderboard ~ .scroll thead th").all_inner_texts().index("final score")
    for row in page.locator("#leaderboard ~ .scroll tbody tr").all():
        score = row.locator("th, td").nth(column).bounding_box()
        assert score["x"] + score["width"] <= width
        assert row.locator("th").bounding_box()["x"] >= 0


def test_all_of_it_fits_on_paper_and_unfolds_there(page):
    folded = page.locator("details:not([open])").count()
    assert folded > 0
    count = "window.folded = document.querySelectorAll('details:not([open])').length"
    page.evaluate(f"addEventListener('beforeprint', () => {{ {count} }})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.folded") == 0
    assert page.locator("details:not([open])").count() == folded
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within the browser's own margins
    for table in page.locator("table").all():
        box = table.bounding_box()
        assert box["x"] + box["width"] <= 718


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


@pytest.mark.parametrize("page", [(1600, "light")], indirect=True)
def test_a_page_of_25_methods_and_a_thousand_examples_opens_without_an_error(page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report_html(many(methods=25, examples=1000), {}), encoding="utf-8")
    page.goto(path.as_uri())
    # 25 methods between ceiling and floor, in the ranking and in the other metrics.
    assert page.locator("tbody tr").count() == 2 * 27
    assert page.said == []


@EVERY_SCREEN
def test_the_page_is_no_wider_than_the_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def check_with_axe(page):
    if not AXE.is_file():
        pytest.skip(f"no axe-core at {AXE}: make test-browser fetches it where it may")
    # All of it: what is folded away has contrast too.
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found["violations"]] == []


@EVERY_SCREEN
def test_nothing_that_axe_looks_for_is_wrong(page):
    check_with_axe(page)
