"""Pages to look into: size, and the time that the first selection takes in a browser without window or network.

Run from the project root: ``python -m benchmarks.interactive_report [FOLDER]``; the pages stay in the folder, if one is given.
Needs Chromium. Stars and spectra are made up (spectra of the emulator with noise). A selection is timed from the call to the
second frame after it, when everything is drawn: a star looked at, and a third of all stars selected. Of each page the first of
either is given, in a browser that has just opened it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import report
from tests.browser import Page, browser, find_browser
from tests.report.interactive.made_survey import made_survey
from transtar.report.interactive import report_catalog

MODELS = ("mock-feh", "mock-alphafe", "mock-teff", "mock-logg")

SIZES = {10_000: (500, 6, 0.3), 100_000: (0, 25, 1.0)}
"""Rows: spectra, and bars of the size in MB and of the first selection in seconds."""

FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def timed(page: Page, work: str) -> float:
    """Seconds until what an expression does is drawn."""
    return (
        page.value(
            f"(async () => {{ const t = performance.now(); await ({work}); await {FRAMES}; return performance.now() - t; }})()"
        )
        / 1e3
    )


def measure(n: int, folder: Path, bars: tuple[int, float, float]) -> None:
    """Make one page and time what it does."""
    n_spectra, most, within = bars
    folder.mkdir(parents=True, exist_ok=True)
    catalog, data, labels = made_survey(folder, n, n_spectra)
    out = folder / "page.html"
    start = time.perf_counter()
    spectra = {"data": data, "models": MODELS} if n_spectra else {}
    report_catalog(catalog, out, labels=labels, **spectra)
    made = time.perf_counter() - start
    what = f"{n:,} stars, {n_spectra} spectra"
    report(f"page of {what}: MB", out.stat().st_size / 1e6, most, f"written in {made:.0f} s", at_most=True)
    with browser() as page:
        opened = page.open(out, "typeof transtar !== 'undefined' && transtar.ready")
        first = timed(page, "transtar.step('last')")
        third = timed(page, f"transtar.choose(Uint8Array.from({{length: {n}}}, (_, i) => i % 3 === 0))")
        again = min(timed(page, "transtar.step(1)") for _ in range(5))
        outside = [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert not outside, outside
        assert not page.complaints, page.complaints
    load = f"opened in {opened:.1f} s; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    report(f"page of {what}: first star, s", first, within, f"the next in {again:.2f} s", at_most=True)
    report(f"page of {what}: first third selected, s", third, within, load, at_most=True)


def main() -> None:
    """Print size and times."""
    if find_browser() is None:
        sys.exit("no Chromium: nothing is timed")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        for n, bars in SIZES.items():
            measure(n, folder / str(n), bars)


if __name__ == "__main__":
    main()
