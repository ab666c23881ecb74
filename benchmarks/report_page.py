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
    for methods in (200, 25):
        found = many(methods=methods, examples=1000, models=512)
        start = time.process_time()
        text = report_html(found, {})
        seconds = time.process_time() - start
        print(f"page of {methods} methods: {len(text.encode()) / 1e6:.2f} MB, made in {seconds:.1f} CPU seconds")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no Chromium here: make test-browser installs it where it may")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "report.html")
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        paints, changes = [], []
        for _ in range(ROUNDS):
            page = browser.new_page()
            page.goto(path.as_uri())
            page.wait_for_function("document.documentElement.dataset.whole === 'yes'")
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            changes += [page.evaluate(CHANGE, place) for place in (3, 7, 12)]
            page.close()
        browser.close()
    for name, taken in (("first paint", paints), ("another method", changes)):
        print(f"{name}: {statistics.median(taken):.0f} ms (median of {len(taken)}, slowest {max(taken):.0f} ms)")


if __name__ == "__main__":
    main()
