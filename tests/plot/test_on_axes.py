"""Plots on the axes of a user."""

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from matplotlib.figure import Figure

import transtar as ts
from transtar.errors import InputError
from transtar.preprocess import GridSpectra
from transtar.spectra import SpectrumBatch

WAVE = np.linspace(4000, 5600, 800)


@pytest.fixture
def ax():
    return Figure().subplots()


def batch(**changes) -> SpectrumBatch:
    flux = np.stack([np.full(800, 1.0), np.linspace(1, 2, 800)]).astype(np.float32)
    mask = np.zeros(flux.shape, bool)
    mask[1, 10] = True
    given = {"ivar": np.full(flux.shape, 100, np.float32), "meta": {"file": np.array(["a.fits", "b$.fits"])}, **changes}
    return SpectrumBatch(WAVE, flux, mask=mask, ids=np.arange(2), survey="generic", **given)


def test_a_spectrum_of_a_batch_with_its_errors_and_gaps(ax):
    assert ts.plot.spectrum(batch(), 1, ax, color="red", lw=2) is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), WAVE)
    expected = np.linspace(1, 2, 800, dtype=np.float32).astype(float)
    expected[10] = np.nan
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert (line.get_color(), line.get_lw(), line.get_label()) == ("red", 2, r"b\$.fits")
    band = np.concatenate([path.vertices[:, 1] for path in ax.collections[0].get_paths()])
    assert (band.min(), band.max()) == (pytest.approx(0.9), pytest.approx(2.1))
    assert (ax.get_xlim(), ax.get_ylabel()) == ((WAVE[0], WAVE[-1]), "flux")
    assert "vacuum" in ax.get_xlabel()


def test_arrays_in_place_of_a_batch_say_nothing_of_their_medium(ax):
    flux = np.ma.masked_less(np.linspace(0, 1, 800), 0.5)
    ts.plot.spectrum((WAVE, flux), ax=ax, limits=(4100, 5500))
    drawn = ax.lines[0]
    inside = (WAVE >= 4100) & (WAVE <= 5500)
    np.testing.assert_array_equal(drawn.get_xdata(), WAVE[inside])
    assert np.isnan(drawn.get_ydata()).sum() == (flux.mask & inside).sum()
    assert "vacuum" not in ax.get_xlabel()
    assert not ax.collections
    ts.plot.spectrum((WAVE, np.ones((3, 800)), np.ones((3, 800))), 2, ax)
    assert len(ax.collections) == 1
    ts.plot.spectrum((WAVE, np.ones((3, 800)), np.ones((3, 800))), 2, ax, errors=False)
    assert len(ax.collections) == 1


def test_lines_are_marked_in_the_rest_frame_only(ax):
    flux = np.ones((1, 1462), np.float32)
    grid = ts.Preprocessing().wavelengths
    flux[0, np.abs(grid.wave - 4862.7).argmin()] = 0.2
    spectra = GridSpectra(flux, None, np.ones(1), np.ones(1), np.zeros(1, np.int32), grid=grid)
    ts.plot.spectrum(spectra, ax=ax, lines=True)
    assert any("beta" in text.get_text() for text in ax.texts)
    assert ax.get_ylabel() == "flux / continuum"
    with pytest.raises(InputError, match="rest frame"):
        ts.plot.spectrum(batch(), ax=ax, lines=True)


@pytest.mark.parametrize(
    ("spectra", "arguments", "fact"),
    [
        (batch(), {"row": 2}, "no row 2 among 2"),
        (batch(), {"row": True}, "no row True"),
        (batch(), {"limits": (7000, 8000)}, "between 7000 and 8000 A.* 4000 to 5600"),
        ((WAVE, np.full(800, np.nan)), {}, "row 0 has no flux"),
        ((WAVE, np.ones(700)), {}, r"\(800,\), \(700,\)"),
        ((WAVE[::-1], np.ones(800)), {}, "not strictly increasing"),
        ((WAVE,), {}, "not 1 arrays"),
    ],
)
def test_what_cannot_be_drawn_is_refused(spectra, arguments, fact, ax):
    with pytest.raises(InputError, match=fact):
        ts.plot.spectrum(spectra, ax=ax, **arguments)


def test_labels_against_labels_with_the_scores_of_those_known(ax):
    x = np.array([-2.0, -1.0, 0.0, np.nan, 0.5])
    y = np.array([-1.9, -1.1, 0.1, 0.0, 0.4])
    assert ts.plot.one_to_one(x, y, ax, label="feh", errors=np.full(5, 0.1), color="red") is ax
    (text,) = (one.get_text() for one in ax.texts)
    left = np.isfinite(x)
    r2 = 1 - np.sum((y - x)[left] ** 2) / np.sum((x[left] - x[left].mean()) ** 2)
    assert "= 4 (1 without label)" in text
    assert f"= {r2:.3f}" in text
    assert "bias = +0.000 dex" in text
    assert ax.get_xlim() == ax.get_ylim()
    assert ax.get_xlabel() == "reference [Fe/H]"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), x[left])
    assert len(ax.collections) == 1


def test_units_are_converted_and_predictions_far_out_are_on_the_edge(ax):
    x = np.array([4000.0, 5000.0, 6000.0]) * u.K
    ts.plot.one_to_one(x, np.array([4.0, 5.0, 60.0]) * u.kK, ax, label="teff")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [4000, 5000])
    (edge,) = (line for line in ax.lines if line.get_marker() == "^")
    assert edge.get_xdata().tolist() == [6000]
    assert ax.get_ylim()[0] < edge.get_ydata()[0] < ax.get_ylim()[1]
    with pytest.raises(InputError, match="in m cannot be one in K"):
        ts.plot.one_to_one(x, np.ones(3) * u.m, ax, label="teff")


def test_many_stars_are_shown_by_their_density(ax):
    random = np.random.default_rng(0)
    x = random.normal(size=5000)
    ts.plot.one_to_one(x, x + 0.1, ax)
    assert ax.collections[0].get_array().sum() == 5000
    assert "bias = +0.100" in ax.texts[0].get_text()


@pytest.mark.parametrize(
    ("x", "y", "fact"),
    [([1.0], [1.0, 2.0], r"\(1,\), \(2,\)"), ([np.nan], [1.0], "no star has"), ([], [], "no star has")],
)
def test_labels_that_do_not_belong_together_are_refused(x, y, fact, ax):
    with pytest.raises(InputError, match=fact):
        ts.plot.one_to_one(x, y, ax)


def test_one_star_has_room_and_no_scores_that_do_not_exist(ax):
    ts.plot.one_to_one([0.1], [0.2], ax, label="feh")
    assert "R^2" not in ax.texts[0].get_text()
    assert ax.get_xlim()[0] < 0.1 < ax.get_xlim()[1]


def test_without_axes_a_new_figure_of_the_users_own_style_is_made():
    from matplotlib import pyplot

    with mpl.rc_context({"font.size": 13, "backend": "agg"}):
        first = ts.plot.spectrum(batch())
        second = ts.plot.one_to_one([0.0, 1.0], [0.0, 1.0])
        assert first.figure is not second.figure
        assert first.xaxis.label.get_fontsize() == 13
        assert first.figure.number in pyplot.get_fignums()
        pyplot.close("all")
