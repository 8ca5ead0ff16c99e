"""FITS tables: what astropy writes, and what it reads wrongly."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError
from transtar.labels import read_labels
from transtar.tables import open_table, read_table
from transtar.tables.fits import list_tables, read_columns

BIG = 2**62 + 1


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_columns_of_fits_files(tmp_path, zipped):
    text = fits.Column("T", "4A", array=["a", "bc", ""])
    flags = fits.Column("L", "L", array=np.array([True, False, True]))
    integers = fits.Column("I", "K", array=np.array([BIG, -99, 3]), null=-99)
    unsigned = fits.Column("U", "K", bzero=2**63, array=np.array([2**63 + 5, 1, 2], np.uint64))
    matrix = fits.Column("M", "4D", dim="(2,2)", array=np.arange(12.0).reshape(3, 2, 2))
    small = fits.Column("B", "B", bzero=-128, array=np.array([-128, 0, 127], np.int8))
    table = fits.BinTableHDU.from_columns([text, flags, integers, unsigned, matrix, small], name="X")
    path = tmp_path / "x.fits"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    content = path.read_bytes()
    # An undefined logical is a zero byte, which astropy has no way to write.
    offset = list_tables(path)["X"].offset
    content = content[: offset + 4] + b"\0" + content[offset + 5 :]
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = list_tables(path)["X"]
    assert (found.rows, found.names) == (3, ("T", "L", "I", "U", "M", "B"))
    _, column = read_table(path)
    assert column["T"].text().tolist() == ["a", "bc", ""]
    assert column["L"].missing.tolist() == [True, False, False]
    assert column["L"].truths().tolist() == [False, False, True]
    assert column["I"].ids().tolist() == [BIG, -1, 3]
    assert column["U"].values.tolist() == [2**63 + 5, 1, 2]
    assert column["B"].values.tolist() == [-128, 0, 127]
    np.testing.assert_array_equal(column["M"].values, np.arange(12.0).reshape(3, 2, 2))
    assert column["M"].is_vector


def test_null_of_scaled_integers_is_that_of_the_stored_ones(tmp_path):
    """Seen in catalogs with TSCAL and TNULL; astropy compares TNULL with the scaled values (astropy/astropy#14693)."""
    columns = [
        fits.Column("obsid", "K", array=np.array([1, 2])),
        fits.Column("feh", "I", array=np.array([-300, -32768], np.int16), null=-32768),
    ]
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header["TSCAL2"], hdu.header["TZERO2"] = 0.001, 0.25
    hdu.writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read_labels(tmp_path / "a.fits")["feh"], [-0.05, np.nan])


def test_blanks_of_ascii_tables_are_missing(tmp_path):
    """astropy takes a blank for zero."""
    columns = [
        fits.Column("obsid", "I20", array=np.array([BIG, 7]), ascii=True),
        fits.Column("Teff", "F8.1", array=np.array([5000.0, 4999.0]), ascii=True, unit="K"),
        fits.Column("[Fe/H]", "E12.4", array=np.array([-0.5, -0.25]), ascii=True),
    ]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(content.replace(b"  4999.0", b"        ").replace(b"E-", b"D-"))
    labels = read_labels(tmp_path / "a.fits")
    assert labels["id"].tolist() == [BIG, 7]
    np.testing.assert_array_equal(labels["teff"], [5000, np.nan])
    np.testing.assert_allclose(labels["feh"], [-0.5, -0.25])


def test_agrees_with_astropy_on_many_types(tmp_path):
    rng = np.random.default_rng(0)
    table = Table({
        "a": rng.normal(size=9).astype("f4"), "b": rng.normal(size=9), "c": rng.integers(-9, 9, 9).astype("i2"),
        "d": rng.integers(0, 9, 9).astype("u1"), "e": rng.integers(0, 2**31, 9).astype("u4"), "f": rng.normal(size=(9, 3)),
        "g": np.array(list("abcdefghi")), "h": rng.integers(0, 2, 9).astype(bool), "i": rng.integers(-(2**62), 2**62, 9),
    })  # fmt: skip
    table.write(tmp_path / "a.fits")
    _, found = read_table(tmp_path / "a.fits")
    theirs = Table.read(tmp_path / "a.fits")
    for name in table.colnames:
        np.testing.assert_array_equal(found[name].values, np.asarray(theirs[name]).astype(found[name].values.dtype))


def test_arrays_of_another_length_in_each_row_are_no_columns(tmp_path):
    columns = [
        fits.Column("obsid", "K", array=np.array([1, 2])),
        fits.Column("feh", "D", array=np.array([-0.5, 0.0])),
        fits.Column("v", "PD()", array=np.array([np.zeros(2), np.zeros(3)], dtype=object)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    assert open_table(tmp_path / "a.fits").names == ("obsid", "feh")
    table = list_tables(tmp_path / "a.fits")["1"]
    with pytest.raises(InputError, match="column v is an array of another length in each row"):
        read_columns(tmp_path / "a.fits", table, [2])


def test_compressed_tables_are_told(tmp_path):
    Table({"obsid": [1], "feh": [0.1]}).write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        hdus[1].header["ZTABLE"] = True
    with pytest.raises(InputError, match=r"a\.fits: no column of HDU 1 can be read; the first is compressed .*funpack"):
        open_table(tmp_path / "a.fits")


def test_a_name_that_occurs_twice(tmp_path):
    Table({"obsid": [1], "feh": [0.1], "fe_h": [0.2]}).write(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(content.replace(b"'fe_h    '", b"'feh     '"))
    with pytest.raises(
        InputError, match=r"column feh occurs twice \(feh#1, feh#2\); choose one, as with --columns feh=feh#1"
    ):
        read_labels(tmp_path / "a.fits")
    assert read_labels(tmp_path / "a.fits", columns={"feh": "feh#2"})["feh"].tolist() == [0.2]


def test_bombs_are_refused_at_once(tmp_path):
    """A few kilobytes that claim to hold gigabytes of zeros."""
    Table({"obsid": np.zeros(2, int), "feh": np.zeros(2)}).write(tmp_path / "a.fits")
    content = (
        (tmp_path / "a.fits").read_bytes().replace(b"NAXIS2  =                    2", b"NAXIS2  =            100000000")
    )
    with gzip.open(tmp_path / "a.fits.gz", "wb") as file:
        file.write(content + bytes(1 << 24))
    with pytest.raises(InputError, match=r"a\.fits\.gz: \d+ bytes that decompress to more than 1600 MB"):
        read_labels(tmp_path / "a.fits.gz")
    rows = pa.repeat(pa.scalar(0, pa.int8()), 34_000_000)
    pq.write_table(pa.table({"obsid": rows, "feh": rows}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: \d+ bytes that decompress to more than 27\d MB"):
        read_labels(tmp_path / "a.parquet")
