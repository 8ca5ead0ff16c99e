import bz2
import gzip
import lzma
import os
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.surveys import Survey, get_survey, read, read_all, stream
from transtar.surveys.native import identifier, number, read_fits, text

from .fits_files import GRID, write_lamost_image, write_lamost_table


def test_header_values():
    header = fits.Header([("NAME", " a b "), ("NOTHING", None), ("SENTINEL", -9999.0), ("Z", 0.5), ("NUMBER", 3)])
    assert (text(header, "NAME"), text(header, "NOTHING"), text(header, "ABSENT")) == ("a b", "", "")
    assert number(header, "ABSENT", "NOTHING", "SENTINEL", "Z") == 0.5
    with pytest.raises(InputError, match="header card NAME = a b is no number"):
        number(header, "NAME")
    assert np.isnan(number(header, "SENTINEL"))
    assert text(header, "NUMBER") == "3"


def raw_header(card):
    """With a card that astropy does not write."""
    return fits.Header.fromstring(card.ljust(80) + "END".ljust(80))


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("NaN", np.nan),
        ("nan", np.nan),
        ("'NaN'", np.nan),
        ("Inf", np.nan),
        ("", np.nan),
        ("'0.25'", 0.25),
        ("2.5D-1", 0.25),
    ],
)
def test_numbers_as_headers_have_them(card, value):
    assert number(raw_header(f"Z       = {card}"), "Z") == pytest.approx(value, nan_ok=True)


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
@pytest.mark.parametrize("card", ["0,25", "'0,25'", "0.25.1", "T0", "'12:30:00'"])
def test_what_is_no_number_is_refused(card):
    with pytest.raises(InputError, match=r"header card Z = .* is no number"):
        number(raw_header(f"Z       = {card}"), "Z")


@pytest.mark.parametrize("card", ["1.5", "1E18", "T", "'J12'", "99999999999999999999"])
def test_identifiers_are_whole_numbers_or_refused(tmp_path, card):
    with pytest.raises(InputError, match="header card OBSID"):
        identifier(raw_header(f"OBSID   = {card}"), "OBSID")
    path = write_lamost_table(tmp_path / "a.fits", OBSID=1234567)
    path.write_bytes(path.read_bytes().replace(b"OBSID   =              1234567", f"OBSID   = {card:>20}".encode()))
    with pytest.raises(InputError, match=r"a\.fits: header card OBSID"):
        read(get_survey("lamost"), path)


def test_identifiers(tmp_path):
    for card, value in ((str(2**62 + 1), 2**62 + 1), ("' 77 '", 77), ("", -1), ("3.0", 3)):
        assert identifier(raw_header(f"OBSID   = {card}"), "OBSID") == value
    assert identifier(raw_header("OTHER   = 1"), "OBSID") == -1


def test_a_redshift_that_is_not_a_number_is_no_velocity(tmp_path):
    path = write_lamost_table(tmp_path / "a.fits", Z=0.000125)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Z       =             0.000125", b"Z       =                  NaN"))
    assert np.isnan(read(get_survey("lamost"), path).meta["velocity"][0])
    path.write_bytes(content.replace(b"Z       =             0.000125", b"Z       =             0,000125"))
    with pytest.raises(InputError, match=r"a\.fits: header card Z = 0,000125 is no number"):
        read(get_survey("lamost"), path)


@pytest.mark.parametrize("write", [write_lamost_image, write_lamost_table])
@pytest.mark.parametrize("ending", [".FITS", ".fit", ".fits.bz2", ".FITS.GZ", ".fts.xz", ".fits.fz"])
def test_endings(tmp_path, write, ending):
    plain = write(tmp_path / "plain.fits")
    expected = read(get_survey("lamost"), plain)
    path = tmp_path / f"folder/spec{ending}"
    path.parent.mkdir()
    pack = {".bz2": bz2.compress, ".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix.lower(), bytes)
    if ending.endswith(".fz"):
        if write is write_lamost_table:
            pytest.skip("no tables by tiles")
        with fits.open(plain) as hdus:
            packed = fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="GZIP_2", quantize_level=0)
            fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
    else:
        path.write_bytes(pack(plain.read_bytes()))
    (found,) = stream(get_survey("lamost"), path.parent)
    np.testing.assert_array_equal(found.flux, expected.flux)
    np.testing.assert_array_equal(found.ivar, expected.ivar)
    assert found.ids.tolist() == expected.ids.tolist()


def test_names_that_are_not_utf_8(tmp_path):
    path = tmp_path / os.fsdecode(b"\xe9toile.fits")
    write_lamost_table(tmp_path / "a.fits").rename(path)
    assert read(get_survey("lamost"), path).meta["file"].tolist() == [r"\xe9toile.fits"]


def test_whatever_a_reader_raises_costs_one_line(tmp_path):
    path = tmp_path / "a.x"
    for error, message in (
        (MemoryError(), "a.x: does not fit into memory"),
        (RecursionError("deep"), r"a.x: cannot be read as a odd spectrum \(nested too deeply\)"),
        (IndexError("far\n\x1b[31m"), r"a.x: cannot be read as a odd spectrum \(far \\x1b\[31m\)"),
        (InputError("wave is odd"), "a.x: wave is odd"),
        (PermissionError(13, "no"), "a.x: cannot be read"),
    ):

        def fail(path, error=error):
            raise error

        with pytest.raises(InputError, match=message) as caught:
            read(Survey("odd", "", fail, ("*.x",)), path)
        assert str(caught.value).isprintable()
    with pytest.raises(InputError, match="gave a NoneType"):
        read(Survey("odd", "", lambda path: None, ("*.x",)), path)


def test_spectra_on_several_wavelength_arrays(tmp_path):
    batches = [read(get_survey("lamost"), write_lamost_table(tmp_path / "a.fits", GRID[:n])) for n in (3000, 3000)]
    batches[1] = replace(batches[1], wave=batches[1].wave * 1.01)
    survey = Survey("two", "", lambda path: batches, ("*.fits",))
    assert [len(batch) for batch in stream(survey, tmp_path)] == [1, 1]
    assert len(read_all(survey, tmp_path / "a.fits")) == 2
    with pytest.raises(InputError, match="2 wavelength arrays"):
        read(survey, tmp_path / "a.fits")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2880 * 3), st.binary(min_size=1, max_size=12))
def test_damaged_bytes_give_a_spectrum_or_one_clear_line(tmp_path, position, junk):
    good = tmp_path / "good.fits"
    if not good.exists():
        write_lamost_table(good, GRID[:50])
    content = bytearray(good.read_bytes())
    content[position : position + len(junk)] = junk
    bad = tmp_path / "bad.fits"
    bad.write_bytes(bytes(content))
    message = f"{bad}: a spectrum"
    try:
        read(get_survey("lamost"), bad)
    except InputError as error:
        message = str(error)
    assert message.startswith(f"{bad}: ")
    assert "\n" not in message


@pytest.mark.parametrize("write", [write_lamost_image, write_lamost_table])
def test_truncation_anywhere(tmp_path, write, recwarn):
    content = write(tmp_path / "whole.fits").read_bytes()
    path = tmp_path / "cut.fits"
    with fits.open(tmp_path / "whole.fits") as hdus:
        data_end = hdus[-1].fileinfo()["datLoc"] + hdus[-1].size
    for size in (80, 2879, 2881, 2880 + 100, 5000, 5760, 8640, 50_000, data_end - 1):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match="truncated") as caught:
            read(get_survey("lamost"), path)
        assert "\n" not in str(caught.value)
    path.write_bytes(content[:data_end])
    assert len(read(get_survey("lamost"), path)) == 1
    assert not [str(warning.message) for warning in recwarn.list]


# Ids by name: a gzip header holds the second it was made in, and parallel workers must agree.
@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param(b"\0" * 9000, "only zero bytes", id="zeros"),
        pytest.param(b"<html>not found</html>", "not a FITS file", id="html"),
        pytest.param(gzip.compress(b""), "empty gzip", id="empty gzip"),
        pytest.param(gzip.compress(b"SIMPLE  =" * 1000)[:40], "truncated gzip", id="truncated gzip"),
        pytest.param(gzip.compress(b"SIMPLE  =" * 1000)[:-8] + b"12345678", "damaged gzip", id="damaged gzip"),
    ],
)
def test_broken_files(tmp_path, content, message):
    path = tmp_path / "broken.fits.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_fits(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
