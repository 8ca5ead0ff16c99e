"""The line correction: what is put into spectra comes out of the fit, and it does to spectra what it says."""

import numpy as np
import pytest

from transtar.errors import InputError, MismatchError
from transtar.preprocess import Preprocessing
from transtar.simulate import load_emulator
from transtar.simulate.instruments.instrument import LAMOST, MILES
from transtar.simulate.mocks.line_correction import LABELS, LineCorrection, lines_of_model, load_lines, shipped_lines
from transtar.simulate.mocks.line_fit import fit_lines, trusted
from transtar.simulate.mocks.mock_sets import MockSettings
from transtar.simulate.mocks.twins import twins

from .made_mocks import mock_set

SETTINGS = Preprocessing()


def draw(n, seed=0):
    rng = np.random.default_rng(seed)
    logg = np.where(rng.random(n) < 0.4, rng.uniform(1.5, 3, n), rng.uniform(3.8, 4.7, n))
    return {"teff": rng.uniform(4500, 6500, n), "logg": logg, "feh": rng.uniform(-1, 0.4, n)}


@pytest.fixture(scope="module")
def emulator():
    return load_emulator()


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(3)
    shape = (3, 1462)
    return LineCorrection("truth", rng.normal(0, 0.1, shape), rng.normal(0, 0.01, shape), SETTINGS)


def test_formula(truth):
    """Against the formula written out star by star and pixel by pixel."""
    labels = draw(4)
    flux = np.random.default_rng(1).uniform(0.5, 1, (4, 1462))
    corrected = truth.apply(flux, labels)
    for star in range(4):
        t = (labels["teff"][star] - 5500) / 1000
        s = 1 / (1 + np.exp((labels["logg"][star] - 3.5) / 0.25))
        z = 10 ** (0.7 * labels["feh"][star])
        a, b = truth.depth, truth.added
        wanted = flux[star] - (1 - flux[star]) * (a[0] + a[1] * t + a[2] * s) - z * (b[0] + b[1] * t + b[2] * s)
        np.testing.assert_allclose(corrected[star], wanted, rtol=0, atol=1e-6)


def test_fit_finds_what_was_put_in(emulator, truth):
    """Spectra made with a known correction: corrected spectra of other stars agree to a fraction of the correction."""
    labels, others = draw(300), draw(40, seed=9)
    clean = twins(labels, emulator, LAMOST, SETTINGS)
    snr = np.full(300, 200.0)
    noisy = twins(labels, emulator, LAMOST, SETTINGS, snr=snr, seed=1)
    real = truth.apply(clean, labels) + (twins(labels, emulator, LAMOST, SETTINGS, snr=snr, seed=2) - clean)
    found = fit_lines(real, clean, noisy, labels, snr, name="found", preprocessing=SETTINGS)
    plain = twins(others, emulator, LAMOST, SETTINGS)
    wanted, got = truth.apply(plain, others), found.apply(plain, others)
    assert np.std(got - wanted) < 0.25 * np.std(plain - wanted)
    assert found.info["stars"] == 300


def test_nothing_to_correct(emulator):
    """Between two observations of the same synthetic stars there is none: the coefficients stay within the noise."""
    labels = draw(200, seed=4)
    snr = np.full(200, 80.0)
    clean = twins(labels, emulator, LAMOST, SETTINGS)
    first, second = (twins(labels, emulator, LAMOST, SETTINGS, snr=snr, seed=seed) for seed in (1, 2))
    found = fit_lines(first, clean, second, labels, snr, name="none", preprocessing=SETTINGS)
    change = found.apply(clean, labels) - clean
    assert np.sqrt(np.mean(change**2)) < 0.006
    assert abs(np.mean(change)) < 0.0005


def test_noise_lifts_the_envelope(emulator):
    """The reason why twins are as noisy as the real spectra: at S/N 20 the flux is lower by more than a per cent."""
    labels = draw(60, seed=5) | {"feh": np.full(60, -1.5)}
    clean = twins(labels, emulator, LAMOST, SETTINGS)
    noisy = twins(labels, emulator, LAMOST, SETTINGS, snr=np.full(60, 20.0))
    assert np.median((noisy - clean).mean(axis=1)) < -0.01


def test_twins_of_instruments_differ(emulator):
    labels = draw(10)
    fine = [np.abs(np.diff(twins(labels, emulator, which, SETTINGS), 2)).mean() for which in (MILES, LAMOST)]
    assert fine[0] > 1.2 * fine[1]


def test_file(tmp_path, truth):
    again = load_lines(truth.save(tmp_path / "mine.npz"))
    np.testing.assert_array_equal(again.depth, truth.depth.astype(np.float32))
    assert again.preprocessing == SETTINGS
    (tmp_path / "no.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a line correction"):
        load_lines(tmp_path / "no.npz")
    with pytest.raises(InputError, match="lamost-dr10"):
        load_lines("lamost-dr99")


def test_shipped():
    assert shipped_lines() == ["lamost-dr10"]
    lines = load_lines("lamost-dr10")
    assert lines.preprocessing == Preprocessing()
    assert lines.info["stars"] > 600
    # Lines between 4200 and 4450 A are too deep in synthetic spectra, so that their depth is taken back.
    wave = 10 ** (3.602 + 1e-4 * np.arange(1462))
    assert np.median(lines.depth[0][(wave > 4220) & (wave < 4450)]) < -0.05


def test_trusted():
    labels = {"teff": [5500, 5500, 8000, 5500], "logg": [4, 4, 4, np.nan], "feh": [0, -2, 0, 0]}
    assert trusted(labels, np.full(4, 50)).tolist() == [True, False, False, False]
    assert not trusted(labels, np.full(4, 10)).any()


def test_too_few_stars():
    labels = {name: np.ones(5) for name in LABELS}
    flux = np.ones((5, 1462))
    with pytest.raises(InputError, match="5 usable stars"):
        fit_lines(flux, flux, flux, labels, np.ones(5), name="few", preprocessing=SETTINGS)


def test_other_preprocessing_is_refused(emulator):
    other = Preprocessing(frame="observed")
    with pytest.raises(MismatchError, match="lamost-dr10"):
        mock_set(MockSettings(stars=3), emulator, other)


def test_a_model_names_no_file():
    """Its provenance says which correction its mock stars had; only what ships is read because of that."""
    assert lines_of_model([]) is None
    assert lines_of_model([{"mock": {"lines": None}}, {}]) is None
    assert lines_of_model([{}, {"mock": {"lines": shipped_lines()[0]}}]) == shipped_lines()[0]
    for name in ("/etc/passwd", "../../secret.npz", "mine.npz"):
        with pytest.raises(InputError, match=f"the line correction '{name}', which does not ship"):
            lines_of_model([{"mock": {"lines": name}}])
