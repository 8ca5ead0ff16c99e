import gzip

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.surveys import get_survey, read
from transtar.surveys.native import read_fits
from transtar.surveys.plain_fits import parse_fits

from .fits_files import GRID, write_lamost_table


def compare(path):
    ours = read_fits(path)
    with fits.open(path, memmap=False) as theirs:
        assert len(ours) == len(theirs)
        for hdu, expected in zip(ours, theirs, strict=True):
            for key in ("OBSID", "Z", "RA", "DESIG", "CLASS", "VACUUM", "COEFF0", "DATE-OBS", "EXTNAME", "CRVAL1"):
                value = expected.header.get(key)
                assert hdu.header.get(key) == (value.rstrip() if isinstance(value, str) else value), key
            if isinstance(expected, fits.BinTableHDU):
                for name in expected.columns.names:
                    column = np.asarray(expected.data[name])
                    np.testing.assert_array_equal(hdu.column(name.upper()).reshape(column.shape), column)
            elif expected.data is not None:
                np.testing.assert_array_equal(hdu.image(), expected.data)


def test_real_files_as_astropy_reads_them(data):
    folders = ("lamost_dr10/spectra", "lamost_dr1/spectra", "lamost_formats", "miles/spectra")
    for folder in folders:
        for path in sorted((data / folder).iterdir())[:: 1 if folder == "lamost_formats" else 150]:
            compare(path)


def test_awkward_but_valid(tmp_path):
    header = fits.Header(
        [("NAME", "it's / a name", "a comment"), ("EMPTY", ""), ("LARGE", 2**62 + 1), ("SMALL", -1e-20)]
    )
    header["HIERARCH a long key"] = 3
    columns = [
        fits.Column("TEXT", "7A", array=["a", "b"]),
        fits.Column("BITS", "11X", array=np.zeros((2, 11), dtype=bool)),
        fits.Column("UNSIGNED", "J", bzero=2**31, array=np.array([1, 2**32 - 1], dtype=np.uint32)),
        fits.Column("VECTOR", "3D", array=np.arange(6.0).reshape(2, 3)),
    ]
    path = tmp_path / "awkward.fits"
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    fits.HDUList([fits.PrimaryHDU(image, header), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    primary, table = read_fits(path)
    assert [primary.header[key] for key in ("NAME", "EMPTY", "LARGE", "SMALL")] == [
        "it's / a name",
        "",
        2**62 + 1,
        -1e-20,
    ]
    np.testing.assert_array_equal(primary.image(), image)
    np.testing.assert_array_equal(table.column("UNSIGNED")[:, 0], [1, 2**32 - 1])
    np.testing.assert_array_equal(table.column("VECTOR"), np.arange(6).reshape(2, 3))
    with pytest.raises(KeyError):
        table.column("TEXT")


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


def test_truncation_anywhere(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.ones((5, 4000), dtype=np.float32)).writeto(path)
    content = path.read_bytes()
    for size in (80, 2879, 2880, 2881, 50_000, 2880 + 5 * 4000 * 4 - 1):
        with pytest.raises(InputError, match="truncated FITS"):
            parse_fits(content[:size], path)
    assert parse_fits(content[: 2880 + 5 * 4000 * 4], path)[0].shape == (5, 4000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"\0" * 9000, "only zero bytes"),
        (b"<html>not found</html>", "not a FITS file"),
        (gzip.compress(b""), "empty gzip"),
        (gzip.compress(b"SIMPLE  =" * 1000)[:40], "truncated gzip"),
        (gzip.compress(b"SIMPLE  =" * 1000)[:-8] + b"12345678", "damaged gzip"),
    ],
)
def test_broken_files(tmp_path, content, message):
    path = tmp_path / "broken.fits.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_fits(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
