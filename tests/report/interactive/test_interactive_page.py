"""The page itself: what it lacks is said, what comes from files stays text, and without Bokeh one line names the extra."""

import re
import sys

import numpy as np
import pytest

from transtar.errors import InputError, SettingsError, TranstarError
from transtar.explain.inspected import inspect
from transtar.report import style
from transtar.report.interactive import report_catalog, write_page
from transtar.report.interactive.page_words import of_plane, of_scores

from .made_survey import made_survey

HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7*7 }}",
    "a\nb\u2028c",
)


def test_one_file_without_addresses(tmp_path):
    pytest.importorskip("bokeh")
    catalog, data, _ = made_survey(tmp_path, 40, 20)
    out = tmp_path / "page.html"
    report_catalog(catalog, out, data=data, models=["mock-feh"])
    text = out.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert "@import" not in text
    for name in ("one", "kiel", "alpha"):
        assert f'aria-describedby="{name}-summary"' in text
    assert out.stat().st_size < 2e6


def test_texts_of_files_cannot_leave_their_place(tmp_path):
    pytest.importorskip("bokeh")
    n = len(HOSTILE)
    columns = {"star": np.array(HOSTILE), "file": np.array(HOSTILE), "feh": np.zeros(n), "teff": np.full(n, 5000.0)}
    write_page(inspect(columns), tmp_path / "page.html", HOSTILE[0], HOSTILE[1])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "broken'</script>" not in text
    assert "<img" not in text
    assert text.count("<script") == text.count("</script") == 4


def test_a_page_needs_its_suffix_and_its_own_place(tmp_path):
    pytest.importorskip("bokeh")
    catalog, *_ = made_survey(tmp_path, 5)
    with pytest.raises(SettingsError, match="html"):
        report_catalog(catalog, tmp_path / "page.pdf")
    (tmp_path / "notes.html").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.html"):
        report_catalog(catalog, tmp_path / "notes.html")
    assert (tmp_path / "notes.html").read_text() == "mine"


def test_without_bokeh_the_extra_is_named_first(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(TranstarError, match=re.escape("transtar[report]")):
        report_catalog(tmp_path / "nothing.parquet", tmp_path / "page.html")


def test_summaries_say_what_the_plots_show():
    columns = {"teff": np.array([4500.0, 5000, 5500, np.nan]), "logg": np.array([2.0, 4.5, 4.4, 4.4])}
    text = of_plane("teff", "logg", columns, (6000, 4600), (5, 1))
    assert "3 of 4 rows have both Teff and log g" in text
    assert "1 giants (log g below 3.5), 2 dwarfs" in text
    assert "1 star lies outside of the axes" in text
    none = of_plane("teff", "logg", {"teff": np.full(2, np.nan), "logg": np.ones(2)}, (0, 1), (0, 1))
    assert none == "None of 2 rows has both Teff and log g."


def test_scores_of_the_summary_are_those_of_the_evaluation(tmp_path):
    reference = {"id": np.arange(60), "feh": np.linspace(-1, 0.4, 60)}
    predicted = reference["feh"] + np.where(np.arange(60) % 2, 0.1, -0.06)
    seen = inspect(
        {"id": np.arange(60), "feh": predicted, "flags": np.r_[np.full(10, 1), np.zeros(50, int)]}, reference
    )
    text = of_scores(seen, "feh")
    assert "50 stars scored" in text
    assert "bias +0.020" in text
    assert "scatter 0.080" in text
    assert "10 flagged bad" in text


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_contrast():
    """WCAG 2.1: text 4.5 to 1 against its ground, signs 3 to 1."""
    from importlib.resources import files

    css = files("transtar.report.interactive").joinpath("page.css").read_text()
    script = files("transtar.report.interactive").joinpath("page.js").read_text()
    for name in ("ink", "soft", "accent"):
        (colour,) = re.findall(rf"--{name}: (#[0-9a-f]{{6}})", css)
        for ground in ("#ffffff", "#eef2f6"):
            assert (luminance(ground) + 0.05) / (luminance(colour) + 0.05) > 4.5, name
    signs = dict(re.findall(r"(none|warning|bad): 0x([0-9a-f]{6})", script))
    assert [f"#{signs[name]}".upper() for name in ("none", "warning", "bad")] == [
        style.BLUE,
        style.PURPLE,
        style.VERMILION,
    ]
    for colour in signs.values():
        assert 1.05 / (luminance(f"#{colour}") + 0.05) > 3
