"""Objects as a notebook shows them: escaped, small, and never all of a table."""

from html.parser import HTMLParser

import numpy as np
import pytest

from transtar.evaluate.results import RESULT_COLUMNS, Results
from transtar.spectra import SpectrumBatch
from transtar.summary import ROWS, Summary, text_html


class Texts(HTMLParser):
    """Collects the text of an HTML page, and its tags, which must be balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.opened: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def parsed(html: str) -> Texts:
    parser = Texts()
    parser.feed(html)
    parser.close()
    assert not parser.opened
    return parser


def test_html_says_what_text_says_and_shows_the_first_rows():
    summary = Summary("Title", {"one": 1, "empty": "", "none": None}, {"x": np.arange(8), "y": np.arange(8) / 3})
    assert str(summary).splitlines() == ["Title", "  one  1"]
    page = parsed(summary.html())
    assert page.texts[:3] == ["Title", "one", "1"]
    assert page.texts.count("0.33333") == 1
    assert page.texts[-1] == f"{8 - ROWS} more rows"
    assert page.seen.count("tr") == 1 + 1 + ROWS


def test_names_that_others_chose_are_text_and_no_markup():
    hostile = "<script>alert('x')</script>"
    page = parsed(Summary(hostile, {hostile: hostile}, {hostile: [hostile]}).html())
    assert "script" not in page.seen
    assert page.texts == [hostile] * 5
    assert parsed(text_html(hostile)).texts == [hostile]


def test_long_values_are_cut():
    assert len(Summary("t" * 10_000, {"a": "b" * 10_000}, {"c" * 10_000: ["d" * 10_000]}).html()) < 1000


def test_results_show_a_few_rows_of_many():
    row = {name: kind() for name, kind in RESULT_COLUMNS.items()}
    results = Results.from_rows([row | {"seed": seed} for seed in range(3000)])
    html = results._repr_html_()
    assert len(html) < 4000
    assert f"{3000 - ROWS:,} more rows" in html
    assert parsed(Results.from_rows([])._repr_html_()).texts[0] == "Results: 0 rows"


@pytest.mark.parametrize(
    ("meta", "ivar", "expected"),
    [
        ({"snr_survey": np.array([20.0, np.nan, 40.0])}, None, "30 (of the survey)"),
        ({}, 25.0, "10 per pixel"),
        ({"snr_survey": np.full(3, np.nan)}, 25.0, "10 per pixel"),
        ({}, 0.0, None),
        ({}, None, None),
    ],
)
def test_a_batch_says_its_median_signal_to_noise(meta, ivar, expected):
    wave = np.linspace(4000, 5000, 600)
    flux = np.full((3, 600), 2, np.float32)
    flux[:, 100] = np.nan
    errors = None if ivar is None else np.full(flux.shape, ivar, np.float32)
    batch = SpectrumBatch(wave, flux, errors, np.zeros(flux.shape, bool), np.arange(3), "generic", meta=meta)
    lines = dict(line.strip().split("  ", 1) for line in repr(batch).splitlines()[1:])
    assert lines.get("median S/N", "").strip() == (expected or "")
    assert ("median S/N" in batch._repr_html_()) == (expected is not None)
