"""Size of the report of 25 and of 200 methods and 1,000 forget examples, and how long Chromium takes to open it.

    .venv/bin/python benchmarks/report_page.py

Goals: below 5 MB, made in 20 s of a core, and that of 25 methods opened within 2 s. Findings are drawn as the
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


def main():
    for methods in (200, 25):
        found = many(methods=methods, examples=1000)
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
        taken = []
        for _ in range(ROUNDS):
            page = browser.new_page()
            page.goto(path.as_uri())
            taken.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            page.close()
        browser.close()
    print(f"opened in {statistics.median(taken) / 1e3:.2f} s (median of {ROUNDS}, slowest {max(taken) / 1e3:.2f} s)")


if __name__ == "__main__":
    main()
