import gzip
import time

import numpy as np
import pytest
from astropy.io import fits

from transtar.errors import InputError
from transtar.fits_behind import BLOCK
from transtar.fits_headers import heads, ones_complement_sum, open_source
from transtar.surveys.fits_parts import open_fits
from transtar.surveys.native import read_fits
from transtar.tables.fits import list_tables, read_columns


def card(text):
    return text.ljust(80).encode()


def write(path, n=500, checksum=False):
    image = fits.PrimaryHDU(np.arange(n, dtype=np.float32))
    table = fits.BinTableHDU.from_columns([fits.Column("A", "E", array=np.arange(n) + 0.5), fits.Column("N", "7A")])
    fits.HDUList([image, table]).writeto(path, overwrite=True, checksum=checksum)
    return path


def read_through(path):
    """By all three doors: HDU by HDU, whole, and column by column."""
    errors = []
    for read in (
        lambda: [part.columns(["A"]) if part.is_table else part.image() for part in through(path)],
        lambda: [hdu.data for hdu in read_fits(path)],
        lambda: [read_columns(path, table, range(len(table.names))) for table in list_tables(path).values()],
    ):
        try:
            read()
            errors.append("")
        except InputError as error:
            errors.append(str(error))
    return errors


def through(path):
    with open_fits(path) as parts:
        yield from parts


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("NAXIS   =                    1", "NAXIS   =           1000000000", "NAXIS = 1000000000"),
        ("NAXIS   =                    1", "NAXIS   =                   -1", "NAXIS = -1"),
        ("NAXIS   =                    1", "NAXIS   =                  1.5", "NAXIS = 1.5"),
        ("NAXIS   =                    1", "NAXIS   =                  1,0", "NAXIS"),
        ("NAXIS1  =                  500", "NAXIS1  =      999999999999999", "truncated FITS file"),
        ("NAXIS1  =                  500", "NAXIS1  =                 -500", r"axes of \[-500\]"),
        ("NAXIS1  =                  500", "NAXIS1  =                  100", "more data than its headers say"),
        ("NAXIS1  =                  500", "NAXIS1  =                  499", "more data than its headers say"),
        ("NAXIS1  =                  500", "MAXIS1  =                  500", "NAXIS1 = None"),
        ("BITPIX  =                  -32", "BITPIX  =                  -33", "BITPIX = -33"),
        ("BITPIX  =                  -32", "BITPIX  =                    0", "BITPIX = 0"),
        ("TFIELDS =                    2", "TFIELDS =           1000000000", "TFIELDS = 1000000000"),
        ("TFIELDS =                    2", "TFIELDS =                    1", "columns of 4 bytes in rows of 11"),
        ("GCOUNT  =                    1", "GCOUNT  =                   -1", "GCOUNT = -1"),
        ("PCOUNT  =                    0", "PCOUNT  =                   -9", "PCOUNT = -9"),
        ("TFORM1  = 'E       '", "TFORM1  = '999999999999E'", "columns of 4000000000003"),
        ("TFORM1  = 'E       '", "TFORM1  = 'Z       '", "no format of FITS"),
        ("NAXIS2  =                  500", "NAXIS2  =                  499", "more data than its headers say"),
        ("XTENSION=", "YTENSION=", "truncated or damaged FITS file"),
        ("END" + " " * 77, "FND" + " " * 77, "truncated|header"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_headers_that_say_what_cannot_be(tmp_path, old, new, problem, packed):
    path = write(tmp_path / "a.fits")
    content = path.read_bytes()
    assert old.encode() in content
    bad = content.replace(old.encode(), new.encode().ljust(len(old)) if len(new) <= len(old) else new.encode(), 1)
    if len(bad) > len(content):
        # Blanks behind the value make room.
        at = bad.index(new.encode()) + len(new)
        bad = bad[:at] + bad[at + len(bad) - len(content) :]
    path.write_bytes(gzip.compress(bad) if packed else bad)
    begun = time.perf_counter()
    found = read_through(path)
    assert time.perf_counter() - begun < 5
    for error in found:
        assert "\n" not in error
        # Compressed, a claim is only found out where it is beyond all measure.
        if problem and not (packed and "truncated" in problem):
            assert error.startswith(f"{path}: ")
            assert pytest.raises(InputError, match=problem).matches(InputError(error))
        assert bool(error) == bool(problem)


def test_a_header_without_end_is_not_read_for_ever(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(card("SIMPLE  =                    T") + card("COMMENT x") * 1_000_000)
    with (
        pytest.raises(InputError, match="header without END, or of more than 4000000 bytes"),
        open_source(path) as file,
    ):
        list(heads(file))


def test_checksums(tmp_path):
    """DATASUM as astropy writes it; what differs is refused by every door, what has none is read."""
    path = write(tmp_path / "a.fits", checksum=True)
    assert read_through(path) == ["", "", ""]
    content = bytearray(path.read_bytes())
    with fits.open(path) as hdus:
        starts = [hdu.fileinfo()["datLoc"] for hdu in hdus]
    for number, start in enumerate(starts):
        bad = bytearray(content)
        bad[start + 101] ^= 4
        (tmp_path / "b.fits").write_bytes(bad)
        by_part, whole, by_column = read_through(tmp_path / "b.fits")
        assert "damaged data" in by_part
        assert "damaged data" in whole
        # Who asks for tables does not read images.
        assert ("damaged data" in by_column) == (number == 1)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 4097])
def test_the_sum_is_that_of_astropy(n):
    content = np.random.default_rng(n).bytes(n)
    padded = np.frombuffer(content + bytes(-n % 4), np.uint8)
    assert ones_complement_sum(content) == int(fits.PrimaryHDU()._compute_checksum(padded))
    half = n // 8 * 4
    assert ones_complement_sum(content[half:], ones_complement_sum(content[:half])) == ones_complement_sum(content)


def test_what_stands_behind_the_data(tmp_path, caplog):
    """Dirt is passed over and told; the last block need not be full, which is told, for a file that lost bytes ends so, too."""
    path = write(tmp_path / "a.fits")
    with fits.open(path) as hdus:
        first, last = (hdu.fileinfo()["datLoc"] + hdu.size for hdu in hdus)
    content = path.read_bytes()
    for good, said in (
        (content + bytes(7000), ""),
        (content + b"\r\n", ""),
        (content[:last], "ends 260 bytes before its last block does"),
        (content[:last] + b"\n", "ends 259 bytes before its last block does"),
        (content[:-1] + b"x", "behind data of this FITS file stands something that is no part"),
        (content[: first + 100] + b"left over" + content[first + 109 :], "behind data of this FITS file"),
        (content + b"something else", "the 14 bytes behind the last HDU"),
        (content + bytes(BLOCK) + b"something else", "the 2894 bytes behind the last HDU"),
        (content + content, "another FITS file follows it; the first one is read"),
        (content * 5, "another FITS file follows it"),
    ):
        caplog.clear()
        path.write_bytes(good)
        assert read_through(path) == ["", "", ""]
        assert said in caplog.text
        assert bool(said) == bool(caplog.text)
        with open_source(path) as source:
            assert [head.kind for head in heads(source)] == ["IMAGE", "BINTABLE"]


def test_data_that_a_header_cuts_off_are_missed(tmp_path):
    """They follow at once, behind zeros, or where the data before end with their block; and so do headers that were hit."""
    path = write(tmp_path / "a.fits")
    with fits.open(path) as hdus:
        first, last = (hdu.fileinfo()["datLoc"] + hdu.size for hdu in hdus)
    content = path.read_bytes()
    mask = bytes(BLOCK) + b"\0\0\0\1" + bytes(BLOCK - 4)
    whole = write(tmp_path / "b.fits", BLOCK // 4).read_bytes()[: 2 * BLOCK]
    for bad, problem in (
        (content[:first] + b"\0\0\0\1" + content[first + 4 :], "more data than"),
        (content[:last] + bytes(60) + b"\1" + content[last + 61 :], "more data than"),
        (content + bytes(10) + b"\1" + bytes(100), "more data than"),
        (content + mask[10:], "more data than"),
        (whole + b"\1" * BLOCK, "more data than"),
        (content + b"something else" + content[BLOCK:], "truncated"),
        (content + content[:-BLOCK], "truncated"),
        (content + content.replace(b"SIMPLE  =", b"SIMPLY  ="), "truncated"),
    ):
        path.write_bytes(bad)
        assert all(problem in error for error in read_through(path))


def test_a_damaged_header_costs_the_hdu_that_nobody_needs(tmp_path, caplog):
    """If it is certain where the next one begins; whoever needs it is told what is wrong."""
    path = write(tmp_path / "a.fits")
    table = path.read_bytes()[2 * BLOCK :]
    bad = table.replace(b"TFORM1  = 'E       '", b"TFORM1  = 'B       '")
    path.write_bytes(path.read_bytes() + bad)
    by_part, whole, by_column = read_through(path)
    assert "columns of 8 bytes in rows of 11" in by_part
    assert "columns of 8 bytes in rows of 11" in whole
    assert by_column == ""
    assert (
        "HDU at byte 14400 has a damaged header (columns of 8 bytes in rows of 11); nothing of that HDU" in caplog.text
    )
    with open_source(path) as source:
        assert [bool(head.problem) for head in heads(source)] == [False, False, True]
    # Of two tables the first is the one that is read.
    path.write_bytes(path.read_bytes()[: 2 * BLOCK] + bad + table)
    assert "columns of 8 bytes" in read_through(path)[2]
    path.write_bytes(path.read_bytes()[: 2 * BLOCK] + table + bad + b"more")
    assert all("columns of 8 bytes" in error or "more data" in error for error in read_through(path))


def test_letters_in_a_header(tmp_path, caplog):
    """One that is none is told; where cards are something else altogether, the file is damaged."""
    path = tmp_path / "a.fits"
    image = fits.PrimaryHDU(np.arange(5, dtype=np.float32))
    image.header["OBSERVER"] = "Renee"
    image.writeto(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Renee", b"Ren\xe9e"[:5]))
    with open_source(path) as source:
        assert len(list(heads(source))) == 1
    assert "HDU at byte 0: 1 bytes of its header are no ASCII text" in caplog.text
    path.write_bytes(content[:240] + b"\x80" * 240 + content[480:])
    with open_source(path) as source, pytest.raises(InputError, match="keywords are no text"):
        list(heads(source))


def test_real_files_have_the_sums_they_state(data):
    paths = sorted(data.glob("desi/**/*.fits*"))
    stated = 0
    for path in paths:
        with open_source(path) as source:
            for head in heads(source):
                stated += "DATASUM" in head.header
                content = source.exactly(head.size) + source.read(-head.size % BLOCK)
                if "DATASUM" in head.header:
                    assert ones_complement_sum(content) == int(head.header["DATASUM"])
    assert stated > 20
