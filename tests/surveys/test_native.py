import gzip

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.surveys import get_survey, read
from transtar.surveys.native import number, read_fits, text

from .fits_files import GRID, write_lamost_image, write_lamost_table


def test_header_values():
    header = fits.Header([("NAME", " a b "), ("NOTHING", None), ("SENTINEL", -9999.0), ("Z", 0.5), ("NUMBER", 3)])
    assert (text(header, "NAME"), text(header, "NOTHING"), text(header, "ABSENT")) == ("a b", "", "")
    assert number(header, "ABSENT", "NOTHING", "NAME", "SENTINEL", "Z") == 0.5
    assert np.isnan(number(header, "SENTINEL"))
    assert text(header, "NUMBER") == "3"


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
