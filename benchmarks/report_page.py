"""Size of the report of 25 and of 200 methods, 1,000 forget examples and N = 512, and how Chromium copes with it.

    .venv/bin/python benchmarks/report_page.py

Goals for 25 methods: below 5 MB, first paint within 1 s, another method drawn within 0.1 s. Findings are drawn as the
tests of the report draw them.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
TESTS = Path(__file__).resolve().parents[1] / "tests" / "unit"
sys.path[:0] = [str(TESTS), str(TESTS / "report")]

from found import many  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from unlearning_metric.report.page import report_html  # noqa: E402

ROUNDS = 5
#: Chooses a method; milliseconds until all that depends on it is drawn.
CHANGE = """place => new Promise(done => {
  const start = performance.now(), choice = document.getElementById("method");
  new MutationObserver(() => done(performance.now() - start))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-drawn"] });
  choice.value = place;
  choice.dispatchEvent(new Event("change"));
})"""


def main():
    pages = {}
    for methods in (25, 200):
        found = many(methods=methods, examples=1000, models=512)
        start = time.process_time()
        pages[methods] = report_html(found, {})
        seconds = time.process_time() - start
        size = len(pages[methods].encode()) / 1e6
        print(f"page of {methods} methods: {size:.2f} MB, made in {seconds:.1f} CPU seconds", flush=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no Chromium here: make test-browser installs it where it may")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for methods, text in pages.items():
            path = Path(folder, f"{methods}.html")
            path.write_text(text, encoding="utf-8")
            measure(browser, path, f"{methods} methods")
        browser.close()


def measure(browser, path, what):
    """Open a page anew `ROUNDS` times, and print what the browser says it took."""
    taken = {"first paint": [], "first chart drawn": [], "another method": []}
    for _ in range(ROUNDS):
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_function("document.documentElement.dataset.whole === 'yes'")
        taken["first paint"].append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        )
        taken["first chart drawn"].append(page.evaluate("performance.getEntriesByName('drawn')[0].startTime"))
        taken["another method"] += [page.evaluate(CHANGE, place) for place in (3, 7, 12)]
        page.close()
    for name, values in taken.items():
        middle, most = statistics.median(values), max(values)
        print(f"{what}, {name}: {middle:.0f} ms (median of {len(values)}, slowest {most:.0f} ms)", flush=True)


if __name__ == "__main__":
    main()
