import time

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from transtar.errors import InputError
from transtar.surveys import Stated, get_survey, read
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.generic import read_generic
from transtar.tables import Choice

WAVE = np.linspace(4000, 5000, 6)
FLUX = np.arange(6.0) + 1
VACUUM = Stated(medium="vacuum")


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(separator=",", *more):
    return "".join(separator.join(map(str, row)) + "\n" for row in zip(WAVE, FLUX, *more, strict=True))


@pytest.mark.parametrize("separator", [" ", "\t", ",", ";"])
def test_two_columns_without_names(tmp_path, separator, caplog):
    batch = read_generic(write(tmp_path / "a.txt", "# my spectrum\n" + rows(separator)), VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.flux[0], FLUX)
    assert "the first is taken for the wavelength" in caplog.text


def test_more_columns_without_names(tmp_path):
    path = write(tmp_path / "a.txt", rows(" ", 2 * FLUX))
    with pytest.raises(InputError, match=r"3 columns have no names.*--columns wave=1 flux=2 error=3"):
        read_generic(path, VACUUM)
    choice = Choice.parse(["wave=1", "flux=2", "error=3"])
    batch = read_generic(path, Stated(medium="vacuum", columns=choice))
    np.testing.assert_allclose(batch.ivar[0], 0.25 / FLUX**2)
    assert choice.used == {"wave", "flux", "error"}
    with pytest.raises(InputError, match="no column 4, which --columns names for error"):
        read_generic(path, Stated(medium="vacuum", columns={"wave": "1", "flux": "2", "error": "4"}))


@pytest.mark.parametrize("names", ["# wave flux error\n", "# made today\n# wave, flux, error\n# medium: air\n"])
def test_names_in_a_comment(tmp_path, names):
    stated = Stated() if "medium" in names else VACUUM
    batch = read_generic(write(tmp_path / "a.txt", names + rows(" ", 2 * FLUX)), stated)
    np.testing.assert_allclose(batch.ivar[0], 0.25 / FLUX**2)


def test_a_comment_that_states_something_names_no_columns(tmp_path):
    batch = read_generic(write(tmp_path / "a.txt", "# medium: vacuum\n" + rows(" ")))
    assert (batch.medium, batch.flux[0, 0]) == ("vacuum", 1)


def test_comments_are_read_by_whole_keys_and_to_the_end(tmp_path):
    top = (
        "# bandwidth: 3\n# my medium: air\n# valid: 7\n# medium: vacuum\n#frame = rest\n# star: HD 101 A, B\n# class: STAR\n"
        "# star catalog: none\n## id: 12\n# velocity: -1.5 km/s\n"
    )
    batch = read_generic(write(tmp_path / "a.csv", top + "wave,flux\n" + rows()))
    assert (batch.medium, batch.frame, batch.ids.tolist()) == ("vacuum", "rest", [12])
    assert batch.meta["star"].tolist() == ["HD 101 A, B"]
    assert batch.meta["velocity"].tolist() == [-1.5]


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ("# medium: air\n# medium: vacuum\nwave,flux\n", "medium is air by .*, and vacuum by"),
        ("# medium: vacuum\n# star: a\n# star: b\nwave,flux\n", "says two things of star: 'a' .* and 'b'"),
        ("# medium: vacuum (I think)\nwave,flux\n", "not one of vacuum, air"),
        ("# medium: vacuum\n# id: 12.5\nwave,flux\n", "id: '12.5' is not an integer"),
        ("# medium: vacuum\n# velocity: fast\nwave,flux\n", "velocity 'fast' is no number"),
        ("# medium: vacuum\n# unit: parsnips\nwave,flux\n", "the unit 'parsnips' is not a unit of wavelength"),
        ("# medium: vacuum\nwave,wave\n", "wave#1 and wave#2 could each be wave"),
        ("# medium: vacuum\nwave [nm],wave_A,flux\n", "could each be wave|has .* fields"),
        (
            "# medium: vacuum\nwave_air,flux\n",
            "medium is vacuum by a comment 'medium', and air by the name of the column",
        ),
    ],
)
def test_two_things_at_once_are_refused(tmp_path, top, message):
    with pytest.raises(InputError, match=message):
        read_generic(write(tmp_path / "a.csv", top + rows()))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("wave", np.log10(WAVE), "if they are log10 of Angstrom, --unit 'log10\\(Angstrom\\)'"),
        ("wave", WAVE / 10, r"400 to 500 is not Angstrom, and no unit is stated; give --unit nm \(or um, m\)$"),
        ("wave", np.log(WAVE), r"if they are natural logarithms of Angstrom, --unit 'ln\(Angstrom\)'"),
        ("loglam", np.log(WAVE), r"if it is a natural logarithm, say --unit 'ln\(Angstrom\)'"),
    ],
)
def test_wavelengths_that_are_none(tmp_path, name, values, message):
    body = "".join(f"{wave},{flux}\n" for wave, flux in zip(values, FLUX, strict=True))
    with pytest.raises(InputError, match=message):
        read_generic(write(tmp_path / "a.csv", f"{name},flux\n{body}"), VACUUM)


def test_the_same_twice_is_once(tmp_path):
    batch = read_generic(write(tmp_path / "a.csv", "# medium: vacuum\n# MEDIUM: vacuum\nwave,flux\n" + rows()))
    assert batch.medium == "vacuum"


@pytest.mark.parametrize(
    ("top", "stated"),
    [
        ("# unit: nm\nwave,flux\n", VACUUM),
        ("wave [nm],flux\n", VACUUM),
        ("wavelength(nm),flux\n", VACUUM),
        ("lambda_nm,flux\n", VACUUM),
        ("wave,flux\n", Stated(medium="vacuum", unit="nm")),
        ("# unit: nm\nwave [nm],flux\n", Stated(medium="vacuum", unit="nanometers")),
    ],
)
def test_units_in_text(tmp_path, top, stated):
    body = "".join(f"{wave / 10},{flux}\n" for wave, flux in zip(WAVE, FLUX, strict=True))
    np.testing.assert_allclose(read_generic(write(tmp_path / "a.csv", top + body), stated).wave, WAVE)


def test_frequencies_in_text(tmp_path):
    body = "".join(f"{2.99792458e9 / wave},{flux}\n" for wave, flux in zip(WAVE, FLUX, strict=True))
    for top in ("freq [GHz],flux\n", "# unit: GHz\nwave,flux\n"):
        batch = read_generic(write(tmp_path / "a.csv", top + body))
        np.testing.assert_allclose(batch.wave, WAVE)
        np.testing.assert_allclose(batch.flux[0], FLUX)


@pytest.mark.parametrize(("way", "unit"), [(np.log10, "log10(Angstrom)"), (np.log, "ln(Angstrom)")])
@pytest.mark.parametrize("names", ["", "wave,flux\n", "loglam,flux\n"])
def test_logarithms_by_their_unit(tmp_path, way, unit, names):
    body = names + "".join(f"{wave!r},{flux}\n" for wave, flux in zip(way(WAVE).tolist(), FLUX, strict=True))
    path = write(tmp_path / "a.csv", body)
    np.testing.assert_allclose(read_generic(path, Stated(medium="vacuum", unit=unit)).wave, WAVE)


def test_units_that_are_logarithms_and_are_not(tmp_path):
    path = write(tmp_path / "a.csv", "wave [A],flux\n" + rows())
    with pytest.raises(InputError, match="are they logarithms, and of which base"):
        read_generic(path, Stated(medium="vacuum", unit="log10(Angstrom)"))
    path = write(tmp_path / "b.csv", "wave,flux\n" + rows())
    with pytest.raises(InputError, match="4000 to 5000 are no logarithms, as --unit says"):
        read_generic(path, Stated(medium="vacuum", unit="log10(Angstrom)"))


@pytest.mark.parametrize("name", ["flux [Jy]", "flux (mJy)", "fnu", "F_NU", "flux_nu"])
def test_fluxes_per_frequency_by_their_name(tmp_path, name):
    batch = read_generic(write(tmp_path / "a.csv", f"wave,{name}\n" + rows()), VACUUM)
    expected = FLUX / WAVE**2
    np.testing.assert_allclose(batch.flux[0] / batch.flux[0, 0], expected / expected[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("wave,flux [mag],error", r"column flux \[mag\]: in 'mag', which is a logarithm"),
        ("wave,flux,error [mag]", "in 'mag', which is a logarithm; write errors"),
        ("wave,flux,error [%]", "errors in percent"),
        ("wave,fnu [erg/s/cm2/A],error", "per frequency by its name, per wavelength by its unit"),
    ],
)
def test_units_in_names_of_fluxes(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        read_generic(write(tmp_path / "a.csv", f"{names}\n" + rows(",", FLUX)), VACUUM)


def test_what_is_no_unit_in_a_name(tmp_path):
    batch = read_generic(
        write(tmp_path / "a.csv", "wave,flux (normalised),error (1 sigma)\n" + rows(",", FLUX)), VACUUM
    )
    np.testing.assert_allclose(batch.ivar[0], 1 / FLUX**2)


@pytest.mark.parametrize("error", [0, -1, np.nan])
def test_errors_without_any_are_none(tmp_path, error, caplog):
    path = write(tmp_path / "a.csv", "wave,flux,err\n" + rows(",", np.full(6, error)))
    batch = read_generic(path, VACUUM)
    assert batch.ivar is None
    assert "taken as spectra without errors" in caplog.text


@pytest.mark.parametrize(("more", "star"), [("", "HD 101"), ("# star: HR 5\n", "HR 5")])
def test_an_id_that_is_a_name(tmp_path, more, star, caplog):
    path = write(tmp_path / "a.csv", f"# medium: vacuum\n# id: HD 101\n{more}wave,flux\n" + rows())
    batch = read_generic(path)
    assert (batch.meta["star"].tolist(), batch.ids.tolist()) == ([star], [-1])
    assert "an id that is a name" in caplog.text


def test_a_column_of_ids_that_are_names(tmp_path):
    path = write(tmp_path / "a.csv", "wave,flux,id\n" + rows(",", ["HD 101"] * 6))
    assert read_generic(path, VACUUM).meta["star"].tolist() == ["HD 101"]
    with pytest.raises(InputError, match="not an integer"):
        read_generic(path, Stated(medium="vacuum", columns={"id": "id"}))


@pytest.mark.parametrize("tag", ["PARAM", "INFO"])
def test_a_votable_says_it_for_the_whole_table(tmp_path, tag):
    path = tmp_path / "a.vot"
    Table({"wave": WAVE, "flux": FLUX}).write(path, format="votable")
    more = ' datatype="char" arraysize="*"' if tag == "PARAM" else ""
    said = "".join(
        f'<{tag} name="{name}"{more} value="{value}"/>' for name, value in (("medium", "air"), ("frame", "rest"))
    )
    text = path.read_text()
    path.write_text(
        text.replace("<TABLE>", f"<TABLE>{said}") if tag == "PARAM" else text.replace("</TABLE>", f"{said}</TABLE>")
    )
    batch = read_generic(path)
    assert (batch.medium, batch.frame) == ("air", "rest")
    with pytest.raises(InputError, match=f"medium is air by MEDIUM of a {tag}, not vacuum"):
        read_generic(path, VACUUM)


def test_missing_pixels_and_numbers_of_fortran(tmp_path):
    text = "wave,flux\n4000,nan\n4200,--\n4400,null\n4600,\n4800,1.5D+02\n5000,inf\n5200,2\n"
    batch = read_generic(write(tmp_path / "a.csv", text), VACUUM)
    assert batch.mask[0].tolist() == [True, True, True, True, False, True, False]
    assert batch.flux[0, 4] == 150


@pytest.mark.parametrize("value", ["1_000", "0x10", "one"])
def test_what_is_no_number_is_refused(tmp_path, value):
    text = "wave;flux\n" + rows(";").replace("3.0", value)
    with pytest.raises(InputError, match=f"column flux: could not convert '{value}'"):
        read_generic(write(tmp_path / "a.csv", text), VACUUM)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfwave,flux\r\n" + rows().replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + rows(" ").encode(),
        b"# Beobachter: M\xfcller\n# star: \xe9toile\nwave,flux\n" + rows().encode(),
        b"  wave \t flux  \n" + rows(" \t ").encode(),
        b"wave,flux\n\n" + rows().replace("\n", "\n\n").encode(),
        b"wave,flux\n" + "".join(reversed(rows().splitlines(keepends=True))).encode(),
    ],
)
def test_dialects(tmp_path, text):
    batch = read_generic(write(tmp_path / "a.csv", text), VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.flux[0], FLUX)
    if b"toile" in text:
        assert batch.meta["star"].tolist() == ["étoile"]


def test_a_last_row_cut_short_is_told(tmp_path, caplog):
    text = "wave,flux\n" + rows().rstrip("\n")[:-1]
    batch = read_generic(write(tmp_path / "a.csv", text), VACUUM)
    assert batch.mask[0].tolist() == [False] * 5 + [True]
    assert "a.csv: no line feed ends the last row" in caplog.text
    with pytest.raises(InputError, match="has 1 fields"):
        read_generic(write(tmp_path / "a.csv", text[:-4]), VACUUM)


def test_columns_that_mean_nothing_are_passed_over(tmp_path, caplog):
    text = "wave,flux,note,quality\n" + rows(",", ["a note"] * 6, [1] * 6)
    batch = read_generic(write(tmp_path / "a.csv", text), VACUUM)
    assert not batch.mask.any()
    assert "column quality is not used; if what is not zero there is bad, say --columns mask=quality" in caplog.text
    batch = read_generic(tmp_path / "a.csv", Stated(medium="vacuum", columns={"mask": "quality"}))
    assert batch.mask.all()


@pytest.mark.parametrize("words", [["True", "False"], ["1", "0"], ["t", "f"], ["yes", "no"], ["4", "0.0"]])
def test_masks(tmp_path, words):
    text = "wave,flux,mask\n" + rows(",", [words[0], *[words[1]] * 5])
    assert read_generic(write(tmp_path / "a.csv", text), VACUUM).mask[0].tolist() == [True] + [False] * 5


def test_ecsv_of_astropy(tmp_path):
    table = Table({"wave": WAVE / 10, "flux": MaskedColumn(FLUX, mask=FLUX == 3), "note": ["a b"] * 6})
    table["wave"].unit = "nm"
    table.meta = {"medium": "air", "frame": "rest", "star": "HD 101", "id": 2**62 + 1}
    table.write(tmp_path / "a.ecsv")
    table.write(tmp_path / "b.ecsv", serialize_method="data_mask")
    for name in ("a.ecsv", "b.ecsv"):
        batch = read_generic(tmp_path / name)
        assert (batch.medium, batch.frame, batch.ids.tolist()) == ("air", "rest", [2**62 + 1])
        assert batch.mask[0].tolist() == [False, False, True, False, False, False]
        assert batch.wave[0] == pytest.approx(4001.13, abs=0.01)
        assert batch.meta["star"][0] == "HD 101"
    table.meta["frame"] = "moving"
    table.write(tmp_path / "c.ecsv")
    with pytest.raises(InputError, match="frame 'moving' is not one of"):
        read_generic(tmp_path / "c.ecsv")


def test_votable(tmp_path):
    table = Table({"wavelength": WAVE / 10, "flux": FLUX, "flux_err": FLUX})
    table["wavelength"].unit = "nm"
    table.write(tmp_path / "a.vot", format="votable")
    batch = read_generic(tmp_path / "a.vot", VACUUM)
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.ivar[0], 1 / FLUX**2)


def test_a_votable_says_its_medium_in_a_param(tmp_path):
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Param

    votable = from_table(Table({"wave": WAVE, "flux": FLUX}))
    (table,) = votable.iter_tables()
    given = {"medium": "air", "velocity": "12.5", "star": "HD 101", "id": str(2**62 + 1)}
    for name, value in given.items():
        table.params.append(Param(votable, name=name, datatype="char", arraysize="*", value=value))
    votable.to_xml(str(tmp_path / "a.vot"))
    batch = read_generic(tmp_path / "a.vot")
    np.testing.assert_allclose(batch.wave, air_to_vacuum(WAVE))
    assert batch.medium == "air"
    assert batch.ids.tolist() == [2**62 + 1]
    assert batch.meta["velocity"].tolist() == [12.5]
    assert batch.meta["star"].tolist() == ["HD 101"]
    with pytest.raises(InputError, match="medium is air by MEDIUM of a PARAM, not vacuum"):
        read_generic(tmp_path / "a.vot", VACUUM)


@pytest.mark.parametrize("start", ["<!doctype html>\n", "%PDF-1.5\n", '{"wave": [1]}\n'])
def test_what_is_no_spectrum_is_named(tmp_path, start):
    with pytest.raises(InputError, match="no spectrum; it seems to be"):
        read(get_survey("generic"), write(tmp_path / "a.txt", start + rows()))


def test_long_text_is_fast(tmp_path):
    wave = np.linspace(3700, 9000, 100_000)
    np.savetxt(tmp_path / "a.txt", np.c_[wave, wave, wave], header="wave flux error")
    # What is imported at the first file does not count.
    read_generic(write(tmp_path / "b.txt", "wave flux\n" + rows(" ")), VACUUM)
    start = time.process_time()
    read_generic(tmp_path / "a.txt", VACUUM)
    # A tenth of a second; thrice that in Python's own floats alone.
    assert time.process_time() - start < 0.3


def test_real_text(data):
    for path in (data / "public/text").glob("*"):
        batch = read_generic(path, VACUUM)
        assert (len(batch), batch.mask.mean() < 0.01, batch.ivar) == (1, True, None)
