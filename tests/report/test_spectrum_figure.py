from dataclasses import dataclass

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.explain.lines import read_lines
from transtar.grids import get_grid
from transtar.preprocess import GridSpectra
from transtar.report import plot_spectrum

WAVE = get_grid("blue").wave


def made(n=3, ivar=True):
    flux = 1 - 0.5 * np.exp(-0.5 * ((WAVE - 4862.7) / 5) ** 2) + np.zeros((n, 1))
    ones = np.ones(n, np.float32)
    errors = np.full(flux.shape, 100, np.float32) if ivar else None
    return GridSpectra(flux.astype(np.float32), errors, ones, ones, np.zeros(n, np.int32), grid=get_grid("blue"))


def test_flux_errors_and_lines_are_where_they_are():
    spectra = made()
    figure = plot_spectrum(spectra, titles="HD 1")
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), WAVE)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), spectra.flux[0])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(1.1, abs=1e-5)
    assert axes.get_xlabel() == r"vacuum wavelength ($\mathrm{\AA}$)"
    assert axes.get_ylabel() == "flux / continuum"
    names = {text.get_text(): text.xy[0] for text in axes.texts}
    assert names[r"H$\beta$"] == pytest.approx(4862.7, abs=0.1)
    assert len(names) <= 20
    assert axes.get_legend().get_texts()[0].get_text() == "HD 1"


def test_part_of_several_without_errors_and_lines():
    figure = plot_spectrum(made(ivar=False), [0, 2], lines=(), limits=(5100, 5200))
    (axes,) = figure.axes
    assert len(axes.lines) == 2
    assert not axes.texts
    assert not axes.collections
    assert 5100 <= axes.get_xlim()[0] < axes.get_xlim()[1] <= 5200
    assert len({line.get_color() for line in axes.lines}) == 2


@dataclass
class NamedSpectra:
    """As much of a prepared set as is drawn."""

    flux: np.ndarray
    ivar: np.ndarray | None
    wave: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self):
        return len(self.flux)


@pytest.mark.parametrize(
    ("columns", "name"), [({}, "a.fits"), ({"star": np.array([""])}, "a.fits"), ({"star": np.array(["HD 1"])}, "HD 1")]
)
def test_a_set_names_stars_and_where_it_has_none_files(columns, name):
    spectra = NamedSpectra(made(1).flux, None, WAVE, {"file": np.array(["a.fits"]), **columns})
    (axes,) = plot_spectrum(spectra).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [name]


def test_lines_of_the_part_shown_alone_are_marked():
    (axes,) = plot_spectrum(made(), lines=read_lines(), limits=(4800, 4900)).axes
    assert axes.texts
    assert all(4800 < text.xy[0] < 4900 for text in axes.texts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 3}, "no row 3 among 3"),
        ({"rows": [0] * 6}, "one to 5 whole numbers"),
        ({"rows": 0.5}, "whole numbers"),
        ({"limits": (6000, 6100)}, "it runs from 3999 to 5599 A"),
        ({"titles": ["a", "b"]}, "2 titles for 1 spectra"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        plot_spectrum(made(), **arguments)


def test_a_spectrum_without_flux_is_refused():
    spectra = made()
    spectra.flux[1] = np.nan
    with pytest.raises(InputError, match="row 1 has no flux"):
        plot_spectrum(spectra, 1)
