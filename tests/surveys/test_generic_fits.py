import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from transtar.errors import InputError
from transtar.surveys import Stated
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.generic import read_generic
from transtar.tables import Choice

N = 600
WAVE = 4000.0 + 2.0 * np.arange(N)
FLUX = np.linspace(1, 2, N)
VACUUM = Stated(medium="vacuum")


def columns(**values):
    return Table({name: np.asarray(value) for name, value in values.items()})


def write(path, *hdus, **cards):
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, *hdus]).writeto(path, overwrite=True)
    return path


def table(path, content, **cards):
    return write(path, fits.table_to_hdu(content), **cards)


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        {"loglam": np.log10(WAVE), "flux": FLUX, "ivar": np.full(N, 4.0), "and_mask": np.zeros(N, int)},
        {"WAVE": WAVE, "FLUX": FLUX, "ERR": np.full(N, 0.5)},
        {"Lambda": WAVE, "Flux": FLUX, "Variance": np.full(N, 0.25)},
        {"wavelength_vac": WAVE, "F_LAMBDA": FLUX, "e_flux": np.full(N, 0.5)},
    ],
)
def test_tables_of_pixels_and_of_vectors(tmp_path, content, vectors):
    rows = {name: np.asarray(value)[None] if vectors else value for name, value in content.items()}
    batch = read_generic(table(tmp_path / "a.fits", columns(**rows)), VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE, rtol=1e-12)
    np.testing.assert_allclose(batch.flux, FLUX[None], rtol=1e-6)
    np.testing.assert_allclose(batch.ivar, np.full((1, N), 4.0))
    assert not batch.mask.any()


def test_units_of_columns_are_honoured(tmp_path):
    content = columns(wave=WAVE / 10, flux=FLUX, error=FLUX)
    content["wave"].unit, content["flux"].unit, content["error"].unit = "nm", "Jy", "mJy"
    path = table(tmp_path / "a.fits", content)
    batch = read_generic(path, VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE)
    per_wavelength = FLUX / WAVE**2
    np.testing.assert_allclose(batch.flux[0] / batch.flux[0, 0], per_wavelength / per_wavelength[0], rtol=1e-6)
    np.testing.assert_allclose(batch.flux[0] * np.sqrt(batch.ivar[0]), 1000, rtol=1e-5)
    with pytest.raises(InputError, match="in 'nm' by its unit, in 'um' by --unit"):
        read_generic(path, Stated(medium="vacuum", unit="um"))
    content["wave"].unit = "km/s"
    with pytest.raises(InputError, match=r"the unit 'km.*' is not a unit of wavelength"):
        read_generic(table(tmp_path / "b.fits", content), VACUUM)
    content["wave"].unit, content["flux"].unit = "nm", "mag"
    with pytest.raises(InputError, match="logarithm"):
        read_generic(table(tmp_path / "b.fits", content), VACUUM)


def test_stored_nulls_and_scales(tmp_path):
    raw = np.arange(N, dtype=np.int16)
    scaled = fits.Column("flux", "I", array=raw, null=7)
    unsigned = fits.Column("mask", "J", array=(raw == 9).astype(np.uint32), bzero=2**31)
    hdu = fits.BinTableHDU.from_columns([fits.Column("wave", "D", array=WAVE), scaled, unsigned])
    path = write(tmp_path / "a.fits", hdu)
    fits.setval(path, "TSCAL2", value=0.5, ext=1)
    fits.setval(path, "TZERO2", value=10.0, ext=1)
    batch = read_generic(path, VACUUM)
    np.testing.assert_allclose(np.delete(batch.flux[0], 7), np.delete(0.5 * raw + 10, 7))
    assert np.flatnonzero(batch.mask[0]).tolist() == [7, 9]


def test_masked_columns_of_astropy(tmp_path):
    flux = MaskedColumn(FLUX, mask=np.arange(N) == 3)
    batch = read_generic(table(tmp_path / "a.fits", Table({"wave": WAVE, "flux": flux})), VACUUM)
    assert np.flatnonzero(batch.mask[0]).tolist() == [3]


def test_many_stars_with_wavelengths_of_their_own(tmp_path):
    content = Table(
        {
            "WAVE": np.array([WAVE, WAVE + 1, WAVE]),
            "FLUX": np.array([FLUX, 2 * FLUX, 3 * FLUX]),
            "ID": np.array([2**62 + 1, 2, 3]),
            "STAR": ["a", "b", "c"],
            "RV": [1.0, 2.0, 3.0],
            "velocity": [5.0, np.nan, 7.0],
        }
    )
    first, second = read_generic(table(tmp_path / "a.fits", content), VACUUM)
    assert first.ids.tolist() == [2**62 + 1, 3]
    assert second.ids.tolist() == [2]
    assert first.meta["star"].tolist() == ["a", "c"]
    assert first.meta["velocity"].tolist() == [5, 7]
    assert first.meta["RV"].tolist() == [1, 3]
    np.testing.assert_allclose(second.wave, WAVE + 1)
    np.testing.assert_allclose(first.flux, [FLUX, 3 * FLUX], rtol=1e-6)


def test_a_row_per_pixel_with_several_spectra(tmp_path):
    content = Table({"wavelength": WAVE / 10, "flux": np.array([FLUX, 2 * FLUX]).T, "ivar": np.ones((N, 2))})
    content["wavelength"].unit = "nm"
    batch = read_generic(table(tmp_path / "a.fits", content), VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.flux, [FLUX, 2 * FLUX], rtol=1e-6)


def test_what_specutils_writes(tmp_path):
    specutils = pytest.importorskip("specutils")
    from astropy import units as u
    from astropy.nddata import StdDevUncertainty

    for flux in (FLUX, np.array([FLUX, 2 * FLUX])):
        unit = u.Unit("erg / (s cm2 Angstrom)")
        error = StdDevUncertainty(flux / 10 * unit)
        spectrum = specutils.Spectrum(spectral_axis=WAVE * u.AA, flux=flux * unit, uncertainty=error)
        spectrum.write(tmp_path / "a.fits", format="tabular-fits", overwrite=True)
        batch = read_generic(tmp_path / "a.fits", VACUUM)
        np.testing.assert_allclose(batch.flux, np.atleast_2d(flux), rtol=1e-6)
        np.testing.assert_allclose(batch.ivar, 100 / np.atleast_2d(flux) ** 2, rtol=1e-5)


def test_ascii_tables_and_scaled_images(tmp_path):
    columns = [fits.Column("wave", "F10.3", array=WAVE), fits.Column("flux", "E14.6", array=FLUX)]
    batch = read_generic(write(tmp_path / "a.fits", fits.TableHDU.from_columns(columns)), VACUUM)
    np.testing.assert_allclose(batch.flux[0], FLUX, rtol=1e-5)
    hdu = fits.PrimaryHDU(np.arange(N, dtype="i2"))
    hdu.header.update(CRVAL1=4000.0, CDELT1=2.0, CRPIX1=1.0, BSCALE=0.5, BZERO=1.0, BLANK=3)
    hdu.writeto(tmp_path / "b.fits")
    batch = read_generic(tmp_path / "b.fits", VACUUM)
    assert np.flatnonzero(batch.mask[0]).tolist() == [3]
    assert batch.flux[0, :3].tolist() == [1, 1.5, 2]


def test_rows_of_other_lengths(tmp_path):
    waves, fluxes = [WAVE, WAVE[:500]], [FLUX, FLUX[:500]]
    pair = [fits.Column(n, "PD()", array=np.array(v, dtype=object)) for n, v in (("wave", waves), ("flux", fluxes))]
    hdu = fits.BinTableHDU.from_columns([*pair, fits.Column("id", "K", array=[1, 2])])
    batches = read_generic(write(tmp_path / "a.fits", hdu), VACUUM)
    assert [(len(batch.wave), batch.ids.tolist()) for batch in batches] == [(600, [1]), (500, [2])]
    # The same, padded.
    padded = np.zeros((2, 2, N))
    padded[:, 0] = WAVE, FLUX
    padded[:, 1, :500] = WAVE[:500], FLUX[:500]
    content = Table({"wave": padded[0], "flux": padded[1], "id": [1, 2]})
    again = read_generic(table(tmp_path / "b.fits", content), VACUUM)
    assert [(len(batch.wave), batch.ids.tolist()) for batch in again] == [(600, [1]), (500, [2])]


@pytest.mark.parametrize("rows", [1, 3])
def test_wavelengths_beside_a_table_or_image(tmp_path, rows):
    flux = np.outer(np.arange(1, rows + 1), FLUX)
    wave = fits.ImageHDU(WAVE / 10, name="WAVELENGTH")
    wave.header["BUNIT"] = "nm"
    images = [fits.ImageHDU(flux, name="FLUX"), fits.ImageHDU(np.full_like(flux, 4), name="IVAR"), wave]
    batch = read_generic(write(tmp_path / "a.fits", *images), VACUUM)
    vectors = read_generic(write(tmp_path / "b.fits", fits.table_to_hdu(columns(flux=flux)), wave), VACUUM)
    for one in (batch, vectors):
        np.testing.assert_allclose(one.wave, WAVE)
        np.testing.assert_allclose(one.flux, flux, rtol=1e-6)
    np.testing.assert_allclose(batch.ivar, np.full_like(flux, 4))


def test_a_table_of_fluxes_whose_header_counts(tmp_path):
    hdu = fits.table_to_hdu(columns(flux=FLUX))
    hdu.header.update(COEFF0=3.6, COEFF1=1e-4)
    np.testing.assert_allclose(
        read_generic(write(tmp_path / "a.fits", hdu), VACUUM).wave, 10 ** (3.6 + 1e-4 * np.arange(N))
    )


def test_eso_images(tmp_path):
    planes = {"DATA": FLUX, "STAT": np.full(N, 0.25), "DQ": (FLUX > 1.9).astype("i2")}
    hdus = [fits.ImageHDU(plane, name=name) for name, plane in planes.items()]
    hdus[0].header.update(CRVAL1=4000.0, CDELT1=2.0, CRPIX1=1.0)
    batch = read_generic(write(tmp_path / "a.fits", *hdus), Stated(medium="air"))
    np.testing.assert_allclose(batch.wave, air_to_vacuum(WAVE))
    np.testing.assert_allclose(batch.ivar[0], 4)
    assert batch.mask.sum() == (FLUX > 1.9).sum()


def test_phase_3_of_eso_is_told_by_its_utypes(tmp_path):
    content = columns(WAVE=[WAVE], FLUX_REDUCED=[2 * FLUX], FLUX=[FLUX], ERR=[FLUX / 2], QUAL=[np.arange(N) == 5])
    hdu = fits.table_to_hdu(content)
    utypes = ("spec:Data.SpectralAxis.Value", "eso:Data.FluxAxis.Value", "spec:Data.FluxAxis.Value",
              "spec:Data.FluxAxis.Accuracy.StatError", "spec:Data.FluxAxis.Accuracy.QualityStatus")  # fmt: skip
    for place, utype in enumerate(utypes, 1):
        hdu.header[f"TUTYP{place}"] = utype
    batch = read_generic(write(tmp_path / "a.fits", hdu), VACUUM)
    np.testing.assert_allclose(batch.flux[0], FLUX, rtol=1e-6)
    np.testing.assert_allclose(batch.ivar[0], 4 / FLUX**2, rtol=1e-6)
    assert np.flatnonzero(batch.mask[0]).tolist() == [5]


def test_nothing_is_guessed(tmp_path):
    path = table(tmp_path / "a.fits", columns(wave=WAVE, flux_norm=FLUX, FLUX_CAL=2 * FLUX))
    with pytest.raises(
        InputError, match=r"a\.fits: flux_norm and FLUX_CAL could each be flux; say which: --columns flux="
    ):
        read_generic(path, VACUUM)
    choice = Choice.parse(["flux=FLUX_CAL", "feh=FE_H"])
    batch = read_generic(path, Stated(medium="vacuum", columns=choice))
    np.testing.assert_allclose(batch.flux[0], 2 * FLUX, rtol=1e-6)
    assert choice.used == {"flux"}
    with pytest.raises(InputError, match="no column FLUXX, which --columns names for flux; columns found: wave"):
        read_generic(path, Stated(medium="vacuum", columns={"flux": "FLUXX"}))
    path = table(tmp_path / "b.fits", columns(wave=WAVE, loglam=np.log10(WAVE / 1.0003), flux=FLUX))
    with pytest.raises(InputError, match="wave and loglam are different wavelengths"):
        read_generic(path, VACUUM)
    np.testing.assert_allclose(
        read_generic(path, Stated(medium="vacuum", columns={"loglam": "loglam"})).wave, WAVE / 1.0003
    )


def test_two_tables_of_spectra(tmp_path):
    blue, red = (
        fits.table_to_hdu(columns(wave=WAVE, flux=FLUX)),
        fits.table_to_hdu(columns(wave=WAVE + 1000, flux=FLUX)),
    )
    blue.name, red.name = "BLUE", "RED"
    path = write(tmp_path / "a.fits", blue, red)
    with pytest.raises(InputError, match="spectra in HDUs BLUE, RED; say which: --columns hdu=BLUE"):
        read_generic(path, VACUUM)
    assert read_generic(path, Stated(medium="vacuum", columns={"hdu": "red"})).wave[0] == WAVE[0] + 1000
    with pytest.raises(InputError, match="0 HDUs are called IR; HDUs found: PRIMARY, BLUE, RED"):
        read_generic(path, Stated(medium="vacuum", columns={"hdu": "IR"}))


@pytest.mark.parametrize(
    ("hdus", "message"),
    [
        ([], "no spectrum in this FITS file"),
        ([fits.table_to_hdu(columns(a=FLUX, b=FLUX))], "no spectrum in this FITS file"),
        ([fits.ImageHDU(np.zeros((5, N)))], "an image of 5 x 600 pixels"),
        ([fits.ImageHDU(FLUX), fits.ImageHDU(FLUX)], "which of the images"),
        ([fits.ImageHDU(FLUX, name="FLUX")], "no wavelengths"),
        ([fits.table_to_hdu(columns(wave=WAVE, flux=FLUX, id=np.arange(N)))], "column id differs from row to row"),
        ([fits.table_to_hdu(columns(wave=WAVE[None], flux=FLUX[None, :-1]))], r"flux has shape \(1, 599\), expected \(1, 600\)"),
        ([fits.table_to_hdu(columns(wave=WAVE, flux=[b"a"] * N))], "could not convert"),
    ],
)  # fmt: skip
def test_other_fits_is_refused(tmp_path, hdus, message):
    with pytest.raises(InputError, match=message):
        read_generic(write(tmp_path / "a.fits", *hdus), VACUUM)


def sdss(path, **changes):
    coadd = fits.table_to_hdu(
        columns(flux=FLUX, loglam=np.log10(WAVE), ivar=FLUX, and_mask=np.where(FLUX > 1.5, 1 << 9, 1 << 23))
    )
    coadd.name = "COADD"
    row = {
        "CLASS": "STAR",
        "SUBCLASS": "G2",
        "Z": 1e-4,
        "ZWARNING": 0,
        "SPECOBJID": " 3312431686641281024",
        "SOURCETYPE": "SEGUE1",
    }
    about = fits.table_to_hdu(Table({name: [value] for name, value in {**row, **changes}.items()}))
    about.name = "SPECOBJ"
    exposure = fits.table_to_hdu(columns(loglam=np.log10(WAVE), flux=FLUX))
    return write(path, coadd, about, exposure, VACUUM=True)


def test_sdss(tmp_path):
    batch = read_generic(sdss(tmp_path / "a.fits"))
    assert (batch.medium, batch.ids.tolist()) == ("vacuum", [3312431686641281024])
    assert (batch.meta["class"][0], batch.meta["subclass"][0]) == ("STAR", "G2")
    assert batch.meta["velocity"][0] == pytest.approx(29.979, abs=0.001)
    # A fibre with a bright star is no bad one.
    assert (batch.mask[0] == (FLUX <= 1.5)).all()
    galaxy = read_generic(sdss(tmp_path / "b.fits", CLASS="GALAXY", Z=0.3))
    assert (galaxy.meta["class"][0], np.isnan(galaxy.meta["velocity"][0])) == ("GALAXY", True)
    doubtful = read_generic(sdss(tmp_path / "c.fits", ZWARNING=4))
    assert np.isnan(doubtful.meta["velocity"][0])
    assert "class" not in doubtful.meta
    sky = read_generic(sdss(tmp_path / "d.fits", SOURCETYPE="SKY", ZWARNING=5))
    assert (len(sky), sky.left_out) == (0, {"sky": 1})


def test_real_sdss_spectra(data):
    found = {path.name[5:9]: read_generic(path) for path in sorted((data / "public/sdss").glob("spec-*"))}
    assert {name: len(batch) for name, batch in found.items()} == {"0548": 1, "1947": 0, "2942": 1, "3586": 1}
    assert found["2942"].meta["velocity"][0] == pytest.approx(-5.49, abs=0.01)
    assert found["3586"].ids.tolist() == [4037614591814901760]


def test_ucds_tell_air(tmp_path):
    hdu = fits.table_to_hdu(columns(WAVE=WAVE, FLUX=FLUX))
    hdu.header["TUCD1"] = "em.wl;obs.atmos"
    path = write(tmp_path / "a.fits", hdu)
    batch = read_generic(path)
    np.testing.assert_allclose(batch.wave, air_to_vacuum(WAVE))
    with pytest.raises(InputError, match="medium is air by the UCD of the column WAVE, not vacuum"):
        read_generic(path, VACUUM)


def test_tables_of_logarithms_and_of_fluxes_per_frequency(tmp_path):
    content = columns(wave=np.log10(WAVE), flux=FLUX)
    content["wave"].unit = "log10(Angstrom)"
    hdu = fits.table_to_hdu(content)
    hdu.header["TUNIT1"], hdu.header["TUNIT2"] = "log10(Angstrom)", "FNU"
    batch = read_generic(write(tmp_path / "a.fits", hdu), VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.flux[0] / batch.flux[0, 0], FLUX / FLUX[0] * (WAVE[0] / WAVE) ** 2, rtol=1e-6)


@pytest.mark.parametrize("form", ["column", "vector", "image", "log image"])
def test_wavelengths_of_an_hdu_go_before_the_header(tmp_path, form):
    if "image" in form:
        log = form == "log image"
        beside = fits.ImageHDU(np.log10(WAVE) if log else WAVE, name="LOGLAM" if log else "WAVELENGTH")
    else:
        beside = fits.table_to_hdu(columns(WAVELENGTH=WAVE[None] if form == "vector" else WAVE))
        beside.name = "WAVELENGTH"
    primary = fits.PrimaryHDU(FLUX)
    primary.header.update(CRVAL1=1.0, CDELT1=1.0, CRPIX1=1.0)
    lines = fits.table_to_hdu(columns(wavelength=[4861.0, 6563.0]))
    fits.HDUList([primary, beside, lines]).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read_generic(tmp_path / "a.fits", VACUUM).wave, WAVE)


def test_wavelengths_of_an_hdu_that_do_not_fit_are_refused(tmp_path):
    path = write(tmp_path / "a.fits", fits.ImageHDU(FLUX, name="FLUX"), fits.table_to_hdu(columns(WAVE=WAVE[:9])))
    with fits.open(path, mode="update") as hdus:
        hdus[2].name = "WAVE"
    with pytest.raises(InputError, match="HDU WAVE, column WAVE: 9 wavelengths for 600 pixels"):
        read_generic(path, VACUUM)


def test_images_are_chosen_by_their_names(tmp_path):
    images = [fits.ImageHDU(values, name=name) for name, values in (
        ("INPUT", FLUX), ("SCATTER", FLUX / 9), ("NORMALISED", FLUX * 0 + 1), ("WAVE_AIR", WAVE),
    )]  # fmt: skip
    path = write(tmp_path / "a.fits", *images)
    with pytest.raises(InputError, match="--columns flux=INPUT"):
        read_generic(path)
    choice = Choice.parse(["flux=INPUT", "error=SCATTER"])
    batch = read_generic(path, Stated(columns=choice))
    np.testing.assert_allclose(batch.flux[0], FLUX, rtol=1e-6)
    np.testing.assert_allclose(batch.ivar[0], 81 / FLUX**2, rtol=1e-5)
    assert (batch.medium, choice.used) == ("air", {"flux", "error"})


def test_other_names_are_listed(tmp_path):
    path = table(tmp_path / "a.fits", columns(LNWAVE=np.log(WAVE), Intens=FLUX))
    with pytest.raises(InputError, match=r"columns found: LNWAVE, Intens.*--columns wave=NAME flux=NAME"):
        read_generic(path, VACUUM)
    stated = Stated(medium="vacuum", unit="ln(Angstrom)", columns={"wave": "LNWAVE", "flux": "Intens"})
    np.testing.assert_allclose(read_generic(path, stated).wave, WAVE)


def test_a_coadd_of_desi_has_its_own_survey(tmp_path):
    images = [fits.ImageHDU(np.ones((2, 9)), name=f"{arm}_FLUX") for arm in "BRZ"]
    path = write(tmp_path / "a.fits", fits.table_to_hdu(columns(TARGETID=[1, 2])), *images)
    with fits.open(path, mode="update") as hdus:
        hdus[1].name = "FIBERMAP"
    with pytest.raises(InputError, match="--survey desi reads such files"):
        read_generic(path, VACUUM)


def test_one_spectrum_without_errors_among_others(tmp_path):
    error = np.full((2, N), 0.5)
    error[1] = 0
    batch = read_generic(table(tmp_path / "a.fits", columns(wave=[WAVE] * 2, flux=[FLUX] * 2, error=error)), VACUUM)
    assert (batch.ivar[0] == 4).all()
    assert np.isnan(batch.ivar[1]).all()
