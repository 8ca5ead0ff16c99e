"""The page in a browser without network: by mouse, by keyboard alone, and with names that want to do harm."""

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.explain.inspected import inspect
from transtar.flags import Flag
from transtar.report.interactive import report_catalog, write_page

from ...browser import browser, find_browser
from .made_survey import made_survey
from .test_interactive_page import HOSTILE

pytest.importorskip("bokeh")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason="no Chromium (TRANSTAR_BROWSER names one that is not on PATH)"),
]

READY = "typeof transtar !== 'undefined' && transtar.ready"


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return made_survey(tmp_path_factory.mktemp("browser"), 400, 80)


@pytest.fixture(scope="module")
def window():
    with browser() as page:
        yield page


@pytest.fixture
def page(survey, window):
    catalog, data, labels = survey
    out = catalog.parent / "page.html"
    if not out.exists():
        report_catalog(
            catalog, out, data=data, labels=labels, models=["mock-feh", "mock-teff"], most=40, stars=["J000000"]
        )
    window.complaints.clear()
    window.requests.clear()
    window.open(out, READY)
    yield window
    assert window.complaints == []
    assert [one for one in window.requests if not one.startswith(("file:", "data:", "blob:"))] == []


def text(page, name: str) -> str:
    return page.value(f"document.getElementById('{name}').textContent")


def spectrum(page) -> dict:
    """Curves that are drawn."""
    curves = "Bokeh.documents.map(one => one.get_model_by_name('spectrum')).find(Boolean).data"
    return page.value(
        f"(() => {{ const d = {curves}; return Object.fromEntries(Object.entries(d).map(([k, v]) => [k, Array.from(v)])); }})()"
    )


def test_the_keyboard_suffices(page, survey):
    first = text(page, "place")
    assert "1 of 40 stars with a spectrum" in first
    page.key("ArrowRight")
    page.wait("document.getElementById('place').textContent.includes('2 of 40')")
    page.key("End")
    page.wait("document.getElementById('place').textContent.includes('40 of 40')")
    page.key("/")
    for letter in "J000003":
        page.key(letter)
    page.key("Enter")
    page.wait("document.getElementById('facts').textContent.includes('J000003')")
    page.key("Escape")
    # Select by flag: the list of what to select by, then its button, by Tab.
    page.key("s")
    assert page.value("document.activeElement.id") == "by"
    page.value(
        "(() => { const by = document.activeElement;"
        " by.value = [...by.options].find(one => one.text.startsWith('flag MISFIT')).value; })()"
    )
    page.key("Tab")
    assert page.value("document.activeElement.id") == "select"
    page.key("Enter")
    flags = read_columns(survey[0])["flags"]
    expected = np.flatnonzero(flags & int(Flag.MISFIT))
    page.wait(f"document.getElementById('count').textContent.startsWith('{len(expected)} of 400 ')")
    page.value("document.activeElement.blur()")
    page.key("c")
    page.wait("document.getElementById('copied').textContent !== ''")
    assert page.value("transtar.copied").split("\n") == [str(2**62 + row) for row in expected.tolist()]
    page.key("Escape")
    page.wait("document.getElementById('count').textContent === 'Nothing is selected.'")


def test_curves_are_those_of_the_star(page, survey):
    seen = inspect(*_inputs(survey), most=40, stars=["J000000"])
    row = seen.spectra.rows[5]
    page.value(f"transtar.focus({row})")
    curves = spectrum(page)
    spectra = seen.spectra
    flux, twin = np.array(curves["flux"]), np.array(curves["twin"])
    assert np.abs(flux - spectra.flux[5]).max() < 0.0011
    assert np.abs(twin - spectra.twin[5]).max() < 0.0021
    np.testing.assert_allclose(flux - twin, curves["residual"], atol=1e-6)
    slope = spectra.gradients["feh"][5]
    assert np.abs(np.array(curves["gradient"]) - slope).max() <= np.abs(slope).max() / 79
    np.testing.assert_allclose(curves["high"], spectra.error[5], rtol=0.03)
    assert seen.columns["name"][row] in text(page, "facts")
    for near in spectra.neighbours.columns["name"][spectra.neighbours.places[5]]:
        assert near in text(page, "facts")


def _inputs(survey):
    from transtar.explain.shown_spectra import SpectraOfSet
    from transtar.labels import read_labels

    return read_columns(survey[0]), read_labels(survey[2]), SpectraOfSet(survey[1], ["mock-feh"])


def test_bad_pixels_have_no_noise(page):
    page.value("transtar.focus(0)")
    high = spectrum(page)["high"]
    assert all(one is None for one in high[::10])
    assert all(one is not None for one in high[1::10])


def places_of(page, name: str) -> np.ndarray:
    """Where stars are drawn, in pixels of the window, shape (n, 2); the last row is the middle of the frame."""
    script = f"""(() => {{
      const plane = transtar.planes['{name}'], f = plane.figure, view = Bokeh.index.find_one(f), box = view.frame.bbox;
      const {{ start: a, end: b }} = f.x_range, {{ start: c, end: d }} = f.y_range, el = view.el.getBoundingClientRect();
      const [xs, ys] = [Array.from(transtar.data[plane.x]), Array.from(transtar.data[plane.y])];
      xs.push((a + b) / 2);
      ys.push((c + d) / 2);
      return xs.map((x, i) => [
        el.x + box.left + (x - a) / (b - a) * box.width, el.y + box.bottom - (ys[i] - c) / (d - c) * box.height]);
    }})()"""
    return np.array(page.value(script), float)


def test_a_click_looks_at_the_nearest_star_whichever_way_axes_run(page):
    for name, row in (("kiel", 17), ("alpha", 44), ("one", 5)):
        page.click(*places_of(page, name)[row].tolist())
        page.wait(f"document.getElementById('facts').firstChild.textContent === 'J{row:06d}'")


def test_a_line_around_stars_selects_them(page):
    places = places_of(page, "kiel")
    x0, y0 = places[-1].tolist()
    corners = [(x0 - 60, y0 - 60), (x0 + 60, y0 - 60), (x0 + 60, y0 + 60), (x0 - 60, y0 + 60)]

    def mouse(kind: str, place: tuple[float, float], **more) -> None:
        page.send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **more)

    mouse("mouseMoved", corners[0])
    mouse("mousePressed", corners[0], button="left", buttons=1, clickCount=1)
    for corner in [*corners[1:], corners[0]]:
        mouse("mouseMoved", corner, button="left", buttons=1)
    mouse("mouseReleased", corners[0], button="left", clickCount=1)
    page.wait("transtar.state.selected !== null")
    chosen = set(page.value("transtar.state.list"))
    far = np.abs(places[:-1] - places[-1]).max(axis=1)
    assert 5 < len(chosen) < 395
    assert set(np.flatnonzero(far < 57).tolist()) <= chosen <= set(np.flatnonzero(far < 63).tolist())


def test_what_is_not_selected_is_grey_in_every_plane(page):
    page.value("transtar.choose(Uint8Array.from({length: 400}, (_, i) => i === 0))")
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    for name in ("one", "kiel", "alpha"):
        # Places with a colour, in the picture, whose first row is at the bottom of the frame.
        places = page.value(f"""(() => {{
          const image = transtar.planes['{name}'].source.data.image[0], [height, width] = image.shape, out = [];
          for (let at = 0; at < image.length; at++) {{
            const [r, g, b] = [image[at] & 255, (image[at] >> 8) & 255, (image[at] >> 16) & 255];
            if (Math.max(r, g, b) - Math.min(r, g, b) > 30) out.push([at % width, Math.floor(at / width)]);
          }}
          const plane = transtar.planes['{name}'], f = plane.figure, x = f.x_range, y = f.y_range;
          const low = [Math.min(x.start, x.end), Math.min(y.start, y.end)];
          const high = [Math.max(x.start, x.end), Math.max(y.start, y.end)];
          const star = [transtar.data[plane.x][0], transtar.data[plane.y][0]];
          return [out, star.map((one, k) => (one - low[k]) / (high[k] - low[k]) * [width, height][k])];
        }})()""")
        coloured, star = np.array(places[0]), np.array(places[1])
        assert 5 < len(coloured) < 120
        assert np.abs(coloured + 0.5 - star).max() < 6


def test_whole_range_shows_all_and_zoom_the_selected(page):
    page.key("w")
    whole = page.value("(() => { const f = transtar.planes.kiel.figure; return [f.x_range.start, f.x_range.end]; })()")
    teff = page.value("Array.from(transtar.data.teff)")
    assert whole[0] > max(teff) > min(teff) > whole[1]
    page.value("transtar.choose(Uint8Array.from({length: 400}, (_, i) => i < 3))")
    page.key("z")
    near = page.value("(() => { const f = transtar.planes.kiel.figure; return [f.x_range.start, f.x_range.end]; })()")
    assert near[0] > max(teff[:3]) > min(teff[:3]) > near[1]
    assert near[0] - near[1] < whole[0] - whole[1]


def test_names_that_want_to_do_harm(window, tmp_path):
    n = len(HOSTILE)
    columns = {
        "star": np.array(HOSTILE),
        "file": np.array(HOSTILE),
        "feh": np.linspace(-1, 0, n),
        "alphafe": np.linspace(0, 1, n),
    }
    write_page(inspect(columns), tmp_path / "page.html", HOSTILE[0], HOSTILE[1])
    window.complaints.clear()
    window.open(tmp_path / "page.html", READY)
    window.value(f"transtar.choose(Uint8Array.from({{length: {n}}}, () => 1))")
    for row, name in enumerate(HOSTILE):
        window.value(f"transtar.focus({row})")
        assert window.value("document.querySelector('#facts h3').textContent") == name
    assert window.value("document.title") == HOSTILE[0]
    assert window.value("document.querySelectorAll('img, #table script, #facts script').length") == 0
    assert "no Teff" in text(window, "kiel")
    assert "Left out" in text(window, "one")
    assert window.complaints == []
