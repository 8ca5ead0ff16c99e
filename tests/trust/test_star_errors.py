from dataclasses import replace

import numpy as np

from transtar.flags import Flag
from transtar.grids import XP
from transtar.models import load_estimator
from transtar.preprocess import GridSpectra
from transtar.trust.missing import missing_variance
from transtar.trust.photon_noise import label_gradient, photon_noise
from transtar.trust.star_errors import StarErrors, coverage_of
from transtar.trust.telling_labels import telling_labels
from transtar.trust.typical import typical_spectra

from ..models.examples import small_estimator
from ..models.test_error_table import made_table
from .test_photon_noise import spectra


def predicted(model, some):
    return dict(zip(model.label_names, model.predict(some.flux).T.astype(float), strict=True))


def test_columns_of_a_model_with_errors_of_one_label(caplog):
    """The other label has its photon noise, no error, and that is told once."""
    model = small_estimator(error_tables={"feh": made_table(1)})
    some = spectra()
    labels = predicted(model, some)
    errors = StarErrors([model])
    columns, flags = errors.columns(some, labels)
    errors.columns(some, labels)
    assert [record.getMessage() for record in caplog.records] == [
        "no errors in teff_err: a model of teff has not been calibrated on stars with labels"
    ]
    noise = photon_noise([model], some)
    halves, _ = model.error_tables["feh"].intervals(noise["feh"], {"feh": labels["feh"]}, some.snr)
    np.testing.assert_allclose(columns["feh_err"], halves[:, 0])
    np.testing.assert_allclose(columns["feh_hi"] - labels["feh"], halves[:, 1])
    np.testing.assert_allclose(labels["feh"] - columns["feh_lo"], halves[:, 1])
    np.testing.assert_allclose(columns["feh_noise"], noise["feh"])
    assert (columns["feh_err"] > columns["feh_noise"]).all()
    assert np.isnan(columns["teff_err"]).all()
    assert np.isfinite(columns["teff_noise"]).all()
    assert not flags.any()


def test_each_row_has_what_its_survey_adds():
    cells = tuple(replace(cell, elsewhere=0.5) for cell in made_table(1).cells)
    model = small_estimator(error_tables={"feh": made_table(1, cells=cells, survey="lamost")}).only("feh")
    some = spectra()
    labels = predicted(model, some)
    home, _ = StarErrors([model]).columns(some, labels, "lamost")
    survey = np.array(["lamost", "desi", "lamost", "lamost", "miles", "generic"])
    mixed, _ = StarErrors([model]).columns(some, labels, survey)
    assert ((mixed["feh_err"] > home["feh_err"] + 0.1) == (survey != "lamost")).all()
    assert (mixed["feh_noise"] == home["feh_noise"]).all()
    assert coverage_of([model])["feh"][0]["survey"] == "lamost"


def test_few_calibrators_are_flagged():
    cells = tuple(replace(cell, pooled=True) for cell in made_table(1).cells)
    model = small_estimator(error_tables={"feh": made_table(1, cells=cells)}).only("feh")
    some = spectra()
    labels = predicted(model, some)
    labels["feh"][0] = np.nan
    columns, flags = StarErrors([model]).columns(some, labels)
    assert flags.tolist() == [0, *[int(Flag.FEW_CALIBRATORS)] * 5]
    assert np.isnan([columns[f"feh{end}"][0] for end in ("_err", "_lo", "_hi", "_noise")]).all()


def test_missing_pixels_widen_the_errors_of_stars_that_lack_many():
    model = load_estimator("mock-feh")
    generator = np.random.default_rng(0)
    typical = typical_spectra(model.preprocessing)
    flux = (typical.mean + generator.normal(size=(3, len(typical.components))) @ typical.components).astype(np.float32)
    ivar = np.full_like(flux, 1e4)
    ivar[1, 300:600] = ivar[2, 300:320] = 0
    fraction = (ivar > 0).mean(axis=1).astype(np.float32)
    some = GridSpectra(flux, ivar, fraction, np.full(3, 100, np.float32), np.zeros(3, np.int32))
    labels = {"feh": model.predict(flux)[:, 0].astype(float)}
    columns, _ = StarErrors([model]).columns(some, labels)
    gradient = label_gradient(model, flux)[1]
    variance = missing_variance(gradient[None], flux[1:2], ivar[1:2], typical)[0, 0]
    known = np.sqrt(columns["feh_noise"][1] ** 2 + variance)
    told = telling_labels(model.error_tables["feh"].told_by, flux, labels)
    halves, _ = model.error_tables["feh"].intervals(
        np.array([columns["feh_noise"][0], known, columns["feh_noise"][2]]), told, some.snr
    )
    np.testing.assert_allclose(columns["feh_err"], halves[:, 0], rtol=1e-5)
    assert columns["feh_err"][1] > 1.1 * columns["feh_err"][0]


def test_of_several_models_the_widest_and_none_if_one_has_none(caplog):
    narrow = small_estimator(error_tables={"feh": made_table(1)}).only("feh")
    cells = tuple(replace(cell, systematic=2 * cell.systematic) for cell in made_table(1).cells)
    wide = replace(narrow, error_tables={"feh": made_table(1, cells=cells)})
    some = spectra()
    labels = predicted(narrow, some)
    both, _ = StarErrors([narrow, wide]).columns(some, labels)
    alone, _ = StarErrors([wide]).columns(some, labels)
    np.testing.assert_allclose(both["feh_err"], alone["feh_err"])
    assert not caplog.records
    none, _ = StarErrors([narrow, replace(narrow, error_tables={})]).columns(some, labels)
    assert np.isnan(none["feh_err"]).all()
    assert "no errors in feh_err" in caplog.text


def test_no_gradient_no_noise_and_that_is_told(caplog):
    model = small_estimator(input="somebody", error_tables={"feh": made_table(1)}).only("feh")
    some = spectra()
    columns, _ = StarErrors([model]).columns(some, predicted(small_estimator(), some))
    assert np.isnan(columns["feh_noise"]).all()
    assert np.isfinite(columns["feh_err"]).all()
    assert (
        "no photon noise in feh_noise: what makes the input of the model is not at hand, or no gradient goes through it"
        in caplog.text
    )


def test_points_of_xp_spectra_hang_together_and_that_is_told(caplog):
    some = replace(spectra(), grid=XP)
    model = small_estimator(error_tables={"feh": made_table(1)}).only("feh")
    errors = StarErrors([model])
    for _ in range(2):
        columns, _ = errors.columns(some, predicted(model, some))
    assert np.isnan(columns["feh_noise"]).all()
    assert np.isfinite(columns["feh_err"]).all()
    assert caplog.text.count("no photon noise of Gaia XP spectra") == 1


def test_coverage_for_the_metadata():
    table = made_table()
    model = small_estimator(error_tables={"feh": table})
    assert coverage_of([model, small_estimator()]) == {
        "feh": [{
            "stars": "some stars", "survey": "", "n": 40, "label_noise": [0.05, 0.1], "coverage": table.coverage,
            "least_scale": [min(cell.q68 for cell in table.cells), min(cell.q95 for cell in table.cells)],
        }]
    }  # fmt: skip
    assert coverage_of([object()]) == {}
