"""Round trips of catalogs through all formats."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.catalog import CatalogWriter, read_columns, read_metadata, write_catalog, writers
from transtar.errors import InputError, SettingsError

BIG = 2**62 + 1
FORMATS = ["parquet", "fits", "csv", "ecsv", "vot"]
METADATA = {"model": "mock-feh", "settings": {"frame": "rest", "note": "long " * 40}, "version": "0.1.0"}


def columns(n=5, start=0):
    numbers = np.arange(start, start + n)
    return {
        "file": np.array([f'spec, {number} "é".fits' if number % 2 else f"0{number}" for number in numbers]),
        "id": BIG + numbers.astype(np.int64),
        "star": np.full(n, ""),
        "ra": numbers / 7.0,
        "feh": np.where(numbers % 3 == 0, np.nan, -numbers / 9).astype(np.float32),
        "feh_ens_std": np.full(n, 0.03, np.float32),
        "teff": (5000 + numbers).astype(np.float32),
        "flags": (numbers % 4).astype(np.int32),
        "healpix": numbers.astype(np.int32),
        "primary": numbers % 2 == 0,
    }


@pytest.mark.parametrize("suffix", FORMATS)
def test_round_trip(tmp_path, suffix):
    path = tmp_path / f"catalog.{suffix}"
    write_catalog(path, columns(), METADATA)
    read = read_columns(path)
    assert list(read) == list(columns())
    for name, array in columns().items():
        if name == "file" and suffix == "fits":
            # FITS holds ASCII only.
            array = np.char.replace(array, "é", "\\xe9")
        np.testing.assert_array_equal(read[name], array, err_msg=name)
        if name not in ("healpix", "file", "star"):
            assert read[name].dtype == array.dtype, name
    assert read["id"][0] == BIG
    assert read_metadata(path) == ({} if suffix == "csv" else METADATA)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".transtar.json", path.name]


@pytest.mark.parametrize("suffix", FORMATS)
def test_batches_make_the_same_table_as_one_write(tmp_path, suffix):
    with CatalogWriter(tmp_path / f"stream.{suffix}", METADATA) as writer:
        for start in range(0, 20, 4):
            writer.append(columns(4, start))
        assert not (tmp_path / f"stream.{suffix}").exists()
    write_catalog(tmp_path / f"whole.{suffix}", columns(20), METADATA)
    streamed, whole = (read_columns(tmp_path / f"{name}.{suffix}") for name in ("stream", "whole"))
    for name in whole:
        np.testing.assert_array_equal(streamed[name], whole[name])


def test_many_rows_in_fits(tmp_path):
    rows = 150_000
    with CatalogWriter(tmp_path / "c.fits") as writer:
        for start in range(0, rows, 50_000):
            writer.append({"id": BIG + np.arange(start, start + 50_000), "feh": np.full(50_000, 0.5)})
    np.testing.assert_array_equal(read_columns(tmp_path / "c.fits")["id"], BIG + np.arange(rows))
    assert (tmp_path / "c.fits").stat().st_size % 2880 == 0


def test_fits_has_units_descriptions_and_provenance(tmp_path):
    write_catalog(tmp_path / "c.fits", columns(), METADATA)
    with fits.open(tmp_path / "c.fits") as file:
        file.verify("exception")
        header = file["CATALOG"].header
        assert header["CREATOR"] == "transtar"
        assert header["BIT8"] == "TRAINED_ON"
        assert "model: mock-feh" in list(header["HISTORY"])
        assert file["CATALOG"].columns["id"].format == "K"
        assert file["CATALOG"].data["id"][0] == BIG
        number = file["CATALOG"].columns.names.index("teff") + 1
        assert header[f"TUNIT{number}"] == "K"
        assert header[f"TCOMM{number}"] == "effective temperature"
        assert header[f"TUCD{number}"] == "phys.temperature.effective"
        # FITS has no dex.
        number = file["CATALOG"].columns.names.index("feh") + 1
        assert f"TUNIT{number}" not in header
        assert header[f"TCOMM{number}"] == "iron abundance relative to the Sun, [Fe/H] [dex]"
        assert json.loads(file["PROVENANCE"].data.tobytes()) == METADATA
    table = Table.read(tmp_path / "c.fits")
    assert str(table["teff"].unit) == "K"
    assert table["feh"].unit is None
    assert str(table["ra"].unit) == "deg"


def test_the_header_of_fits_stays_short(tmp_path):
    long = METADATA | {"provenance": [{"train_loss": [0.5] * 100_000}]}
    write_catalog(tmp_path / "c.fits", columns(), long)
    with fits.open(tmp_path / "c.fits") as file:
        assert len(file["CATALOG"].header) < 120
        assert "provenance: in the extension PROVENANCE" in list(file["CATALOG"].header["HISTORY"])
    assert read_metadata(tmp_path / "c.fits") == long


def test_provenance_in_a_card_of_an_older_transtar_is_read(tmp_path):
    write_catalog(tmp_path / "c.fits", columns())
    with fits.open(tmp_path / "c.fits", mode="update") as file:
        file["CATALOG"].header["TSMETA"] = json.dumps(METADATA)
    assert read_metadata(tmp_path / "c.fits") == METADATA


def test_parquet_has_units_descriptions_and_zstd(tmp_path):
    write_catalog(tmp_path / "c.parquet", columns(), METADATA)
    field = pq.read_schema(tmp_path / "c.parquet").field("teff")
    about = {b"unit": b"K", b"description": b"effective temperature", b"ucd": b"phys.temperature.effective"}
    assert field.metadata == about
    assert pq.ParquetFile(tmp_path / "c.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


def test_csv_is_plain_unless_header_lines_are_asked_for(tmp_path):
    write_catalog(tmp_path / "plain.csv", columns())
    with (tmp_path / "plain.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert int(rows[0]["id"]) == BIG
    assert np.isnan(float(rows[0]["feh"]))
    write_catalog(tmp_path / "told.csv", columns(), METADATA, header_lines=True)
    text = (tmp_path / "told.csv").read_text()
    assert text.startswith("# model: mock-feh\n")
    assert "# column teff [K]: effective temperature\n" in text
    np.testing.assert_array_equal(read_columns(tmp_path / "told.csv")["id"], columns()["id"])


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_rows(tmp_path, suffix):
    write_catalog(tmp_path / f"c.{suffix}", columns(0))
    read = read_columns(tmp_path / f"c.{suffix}")
    assert list(read) == list(columns())
    assert len(read["id"]) == 0
    assert read["id"].dtype == np.int64


def test_foreign_tables(tmp_path):
    Table({"ID": np.array([BIG, 2]), "TEFF": [5000.0, 6000.0], "Other": ["a", "b"]}).write(tmp_path / "t.fits")
    assert list(read_columns(tmp_path / "t.fits")) == ["id", "teff", "Other"]
    pq.write_table(pa.table({"id": [BIG, None], "feh": [None, 0.1]}), tmp_path / "t.parquet")
    read = read_columns(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read["id"], [BIG, -1])
    np.testing.assert_array_equal(read["feh"], [np.nan, 0.1])
    (tmp_path / "t.csv").write_text(f"# a comment\nid,feh,note\n{BIG},,x\n,0.5,y\n")
    read = read_columns(tmp_path / "t.csv")
    np.testing.assert_array_equal(read["id"], [BIG, -1])
    np.testing.assert_array_equal(read["feh"], np.array([np.nan, 0.5], np.float32))


@pytest.mark.parametrize("name", ["c.txt", "c", "c.fits.gz"])
def test_unknown_suffix(tmp_path, name):
    with pytest.raises(SettingsError, match=r"\.parquet, \.fits, \.csv"):
        write_catalog(tmp_path / name, columns())


@pytest.mark.parametrize("suffix", FORMATS)
def test_unreadable_files(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    with pytest.raises(InputError, match="no such file"):
        read_columns(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty file"):
        read_columns(path)
    path.write_bytes(b"\x80\x81nonsense\x00" * 50)
    with pytest.raises(InputError, match="cannot be read") as caught:
        read_columns(path)
    assert "\n" not in str(caught.value)


def test_truncated_files(tmp_path):
    for suffix in ("parquet", "fits"):
        path = tmp_path / f"c.{suffix}"
        write_catalog(path, columns(2000))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=r"cannot be read|truncated FITS file|damaged or not a parquet file"):
            read_columns(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": np.full(5, 0.5)}, "no exact integers"),
        ({"id": np.full(5, "x")}, "must hold integers"),
        ({"id": np.full(5, 2**63, np.uint64)}, "do not fit"),
        ({"feh": np.zeros(4)}, "differ in length"),
        ({"feh": np.zeros((5, 2))}, "one value per row"),
    ],
)
def test_columns_that_make_no_table(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        write_catalog(tmp_path / "c.parquet", columns() | changes)
    assert not list(tmp_path.iterdir())


def test_batches_must_agree(tmp_path):
    def write(name, batches):
        with CatalogWriter(tmp_path / name) as writer:
            for batch in batches:
                writer.append(batch)

    with pytest.raises(InputError, match="differ in columns: snr"):
        write("c.fits", [columns(), columns() | {"snr": np.zeros(5)}])
    with pytest.raises(InputError, match="not a single batch"):
        write("c.csv", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n", [1, 5, 77, 400])
def test_sums_of_fits_catalogs_are_right(tmp_path, n, recwarn):
    """In several batches, of which none ends with a block; astropy warns of a sum that does not fit."""
    path = tmp_path / "c.fits"
    parts = [columns(n), columns(3, n)]
    with CatalogWriter(path, METADATA) as writer:
        for part in parts:
            writer.append(part)
    with fits.open(path, checksum=True) as hdus:
        assert {"DATASUM", "CHECKSUM"} <= set(hdus[1].header)
        assert int(hdus[1].header["DATASUM"]) > 0
        assert len(hdus[1].data) == n + 3
    assert not [warning for warning in recwarn if "verification failed" in str(warning.message)]


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("place", [-2880 * 2 + 7, -2000])
def test_a_flipped_bit_of_the_data_is_told(tmp_path, place):
    path = tmp_path / "c.fits"
    write_catalog(path, columns(60))
    flip(path, place)
    with pytest.raises(InputError, match="damaged data"):
        read_columns(path)


def test_a_flipped_bit_of_the_provenance_is_told(tmp_path):
    path = tmp_path / "c.fits"
    write_catalog(path, columns(60), METADATA)
    flip(path, -2880 + 20)
    assert len(read_columns(path)["id"]) == 60
    with pytest.raises(InputError, match=r"damaged data|cannot be read"):
        read_metadata(path)


def test_a_flipped_bit_of_the_header_is_told(tmp_path):
    """Only where transtar wrote it: others edit headers and leave CHECKSUM as it was."""
    path = tmp_path / "c.fits"
    write_catalog(path, columns(60), METADATA)
    content = path.read_bytes()
    for old, new in ((b"'teff    '", b"'tefg    '"), (b"= 'feh_ens_std'", b"= 'feh_ens_ste'")):
        assert content.count(old) == 1
        path.write_bytes(content.replace(old, new))
        with pytest.raises(InputError, match="damaged header"):
            read_columns(path)
    path.write_bytes(content.replace(b"'teff    '", b"'tefg    '").replace(b"'transtar'", b"'nobody  '"))
    assert "tefg" in read_columns(path)


def test_a_format_that_is_added_is_written_by_its_own_code(tmp_path, monkeypatch):
    def open_tabs(file, schema, metadata, header_lines):
        file.write(("\t".join(schema.names) + "\n").encode())
        return pa.csv.CSVWriter(file, schema, write_options=pa.csv.WriteOptions(include_header=False, delimiter="\t"))

    monkeypatch.setitem(writers._FORMATS, ".tsv", writers._Format(open_tabs))
    two = {"id": np.array([BIG]), "feh": np.array([-0.5])}
    write_catalog(tmp_path / "a.tsv", two)
    assert (tmp_path / "a.tsv").read_text() == "id\tfeh\n4611686018427387905\t-0.5\n"
