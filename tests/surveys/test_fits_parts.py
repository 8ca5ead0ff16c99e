import gzip

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.surveys.fits_parts import open_fits

FORMATS = {
    "L": np.array([True, False, True]), "B": np.array([0, 7, 255], "u1"), "I": np.array([-(2**15), 0, 7], "i2"),
    "J": np.array([-(2**31), 0, 7], "i4"), "K": np.array([-(2**63), 2**62 + 1, -1]), "E": np.array([0.5, np.nan, 3], "f4"),
    "D": np.array([1e-300, np.inf, 2]), "C": np.ones(3, "c8"), "M": np.ones(3, "c16"), "9A": np.array(["a", "", "b c"]),
    "11X": np.ones((3, 11), bool), "3E": np.ones((3, 3), "f4"), "PJ()": np.array([[1], [2, 3], []], dtype=object),
}  # fmt: skip


def write(path, hdus, packed=False):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(list(FORMATS)), st.booleans())
def test_columns_as_astropy_reads_them(tmp_path, kinds, packed):
    names = [f"C{number}" for number in range(len(kinds))]
    columns = [fits.Column(name.lower(), kind, array=FORMATS[kind]) for name, kind in zip(names, kinds, strict=True)]
    path = write(tmp_path / "t.fits", [fits.BinTableHDU.from_columns(columns, name="t")], packed)
    plain = {name: FORMATS[kind] for name, kind in zip(names, kinds, strict=True) if kind in (*"BIJKED", "9A")}
    with open_fits(path) as parts:
        assert next(parts).name == "PRIMARY"
        part = next(parts)
        assert (part.name, part.is_table) == ("T", True)
        found = part.columns([*plain, "ABSENT"])
    assert list(found) == [name for name in names if name in plain]
    for name, values in plain.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype.isnative


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("C", "complex numbers"),
        ("3E", "not one plain value"),
        ("11X", "an array of bits"),
        ("PJ()", "an array of another"),
    ],
)
def test_columns_that_are_not_one_plain_value(tmp_path, kind, problem):
    column = fits.Column("A", kind, array=FORMATS[kind])
    path = write(tmp_path / "t.fits", [fits.BinTableHDU.from_columns([column])])
    with pytest.raises(InputError, match=f"column A of HDU  ?is {problem}"), open_fits(path) as parts:
        [part.columns(["A"]) for part in parts if part.is_table]


def test_vectors_and_doubled_columns(tmp_path):
    columns = [fits.Column("A", "3E", array=FORMATS["3E"]), fits.Column("B", "J", array=FORMATS["J"])]
    path = write(tmp_path / "t.fits", [fits.BinTableHDU.from_columns(columns)])
    with open_fits(path) as parts:
        next(parts)
        np.testing.assert_array_equal(next(parts).columns(["A"], vectors=True)["A"], FORMATS["3E"])
    path.write_bytes(path.read_bytes().replace(b"TTYPE2  = 'B", b"TTYPE2  = 'A"))
    with pytest.raises(InputError, match="two columns A"), open_fits(path) as parts:
        [part.columns(["A"], vectors=True) for part in parts if part.is_table]


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_images(tmp_path, dtype, packed):
    images = [np.arange(24, dtype=dtype).reshape(2, 3, 4), np.empty((0, 5), dtype), np.full((700, 9), 3, dtype)]
    path = write(tmp_path / "i.fits", [fits.ImageHDU(x, name=f"i{n}") for n, x in enumerate(images)], packed)
    with open_fits(path) as parts:
        read = [part.image() for part in parts if part.name.startswith("I")]
    with open_fits(path) as parts:
        assert [part.name for part in parts] == ["PRIMARY", "I0", "I1", "I2"]
    for ours, theirs in zip(read, images, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
        assert ours.dtype.isnative


def test_what_is_scaled_is_read_as_astropy_reads_it(tmp_path):
    unsigned = fits.BinTableHDU.from_columns([fits.Column("A", "J", bzero=2**31, array=np.arange(3, dtype="u4"))])
    packed = fits.ImageHDU(np.array([2, 4, 9, -7], ">i2"), name="packed")
    packed.header.update(BSCALE=0.25, BZERO=1.0, BLANK=-7)
    images = [fits.ImageHDU(np.arange(3, dtype=kind), name=kind) for kind in ("u2", "u4", "i1", "u8")]
    path = write(tmp_path / "s.fits", [unsigned, packed, *images])
    with fits.open(path) as hdus:
        expected = {hdu.name: hdu.data for hdu in hdus}
    with open_fits(path) as parts:
        for part in parts:
            if part.is_table:
                assert part.columns(["A"])["A"].tolist() == [0, 1, 2]
                with pytest.raises(InputError, match="is not a plain image"):
                    part.image()
            elif part.name != "PRIMARY":
                found = part.image()
                np.testing.assert_array_equal(found, expected[part.name])
                assert found.dtype.kind == expected[part.name].dtype.kind or part.name == "I1"
                with pytest.raises(InputError, match="is not a table"):
                    part.columns(["A"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param(b"\0" * 9000, "blank", id="blank"),
        pytest.param(b"<html>", "not a FITS file", id="html"),
        pytest.param(gzip.compress(b"")[:12], "truncated gzip", id="short gzip"),
        pytest.param(gzip.compress(b"SIMPLE  =" * 1000)[:-8] + b"12345678", "damaged gzip|truncated", id="checksum"),
        pytest.param(b"SIMPLE  =" + b" " * 2871, "truncated", id="header without end"),
    ],
)
def test_broken_files(tmp_path, content, message):
    path = tmp_path / "b.fits"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught, open_fits(path) as parts:
        list(parts)
    assert str(caught.value).startswith(f"{path}: ")
