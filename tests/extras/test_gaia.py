"""The extra `gaia`: continuous Gaia XP spectra, through GaiaXPy."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from matplotlib import rc_context, rcParams

from transtar.simulate.native import gaia
from transtar.surveys import find_files, get_survey, read

from ..surveys.test_gaia_xp import IDS, check, spectra

SURVEY = get_survey("gaia-xp")


def test_continuous_spectra_are_written_and_read(tmp_path, capfd):
    batch = spectra()
    batch.ivar[:] = 1e6 / batch.flux**2
    path = gaia.write_continuous(batch, tmp_path / "XP_CONTINUOUS_RAW.fits", without_bp=np.array([False, True]))
    with rc_context({"text.usetex": False}):
        back = read(SURVEY, path)
        # GaiaXPy turns it on when it is imported, and figures would need LaTeX from then on.
        assert not rcParams["text.usetex"]
    np.testing.assert_array_equal(back.ids, IDS)
    np.testing.assert_allclose(np.median((back.flux / batch.flux)[~back.mask]), 1, atol=0.005)
    assert np.quantile(np.abs(back.flux / batch.flux - 1)[~back.mask], 0.9) < 0.02
    assert (back.mask.mean(axis=1) > 0.3).tolist() == [False, True]
    # GaiaXPy prints its progress; standard output is for results.
    assert capfd.readouterr().out == ""


def test_genuine_continuous_files(data):
    first = read(SURVEY, data / "gaia_xp/XP_CONTINUOUS_RAW.csv")
    assert first.ids.tolist() == [5853498713190525696, 5762406957886626816]
    for suffix in ("ecsv", "fits", "xml"):
        check(read(SURVEY, data / f"gaia_xp/XP_CONTINUOUS_RAW.{suffix}"), first)
    gappy = read(SURVEY, data / "gaia_xp/XP_CONTINUOUS_RAW_with_missing_BP.csv")
    assert (gappy.mask.mean(axis=1) > 0.3).tolist() == [False, True, False]


def test_continuous_round_trip(tmp_path, data):
    batch = read(SURVEY, data / "gaia_xp/xp_sampled.xml")
    path = gaia.write_continuous(batch, tmp_path / "XP_CONTINUOUS_RAW.fits", without_bp=np.arange(10) == 3)
    back = read(SURVEY, path)
    np.testing.assert_array_equal(back.ids, batch.ids)
    pull = (back.flux - batch.flux) * np.sqrt(batch.ivar)
    assert np.median(np.abs(pull[~back.mask])) == pytest.approx(0.67, abs=0.3)
    assert (back.mask.mean(axis=1) > 0.3).tolist() == [i == 3 for i in range(10)]
    with fits.open(path) as ours, fits.open(data / "gaia_xp/XP_CONTINUOUS_RAW_with_missing_BP.fits") as theirs:

        def formats(hdu):
            return [(c.name, c.format.split("(")[0]) for c in hdu.columns]

        assert formats(ours[1]) == formats(theirs[1])
        assert ours[1].columns["bp_n_parameters"].null == theirs[1].columns["bp_n_parameters"].null


@pytest.mark.parametrize("suffix", ["csv", "fits", "xml"])
def test_continuous_files_that_are_packed(tmp_path, data, suffix):
    """GaiaXPy reads no gzip; the archive's bulk files are."""
    whole = data / f"gaia_xp/XP_CONTINUOUS_RAW.{suffix}"
    packed = tmp_path / f"XpContinuousMeanSpectrum_000000-003111.{suffix}.gz"
    packed.write_bytes(gzip.compress(whole.read_bytes()))
    (found,) = find_files(SURVEY, tmp_path)
    check(read(SURVEY, found), read(SURVEY, whole))
    assert list(tmp_path.iterdir()) == [packed]
