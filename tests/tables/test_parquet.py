import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transtar.errors import InputError
from transtar.labels import read_labels
from transtar.tables.parquet import opened, read_bounded

from ..hostile import flip_bits, not_files

N = 12345


def varint(number):
    """A whole number as Thrift's compact protocol writes it: zigzag, seven bits a byte."""
    number, out = number << 1, b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def claim(path, old, new, most=None):
    """Let the footer of a file say another number, in all places where it stands or only in the first."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<I", whole[-8:-4])
    footer = whole[-8 - length : -8]
    assert b"\x16" + varint(old) in footer
    footer = footer.replace(b"\x16" + varint(old), b"\x16" + varint(new), -1 if most is None else most)
    path.write_bytes(whole[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1")


TABLES = {
    "numbers": pa.table({"id": np.arange(N), "feh": np.linspace(-2, 0, N)}),
    "text": pa.table({"file": [f"a{i % 7}" for i in range(N)]}),
    "lists": pa.table({"wave": pa.array([[1.0]] * N)}),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("most", [1, None])
@pytest.mark.parametrize("rows", [10**15, N - 345])
def test_numbers_of_rows_that_lie(tmp_path, name, most, rows):
    """Neither memory for what is not there, nor a table without its last rows."""
    path = tmp_path / "a.parquet"
    pq.write_table(TABLES[name], path)
    claim(path, N, rows, most)
    with pytest.raises(InputError, match=r"a\.parquet: ") as caught:
        read_bounded(path)
    assert "\n" not in str(caught.value)


def test_pages_that_expand_beyond_all_measure(tmp_path):
    """The sizes in a footer are not believed: those of the pages are what decompressing would take."""
    path = tmp_path / "a.parquet"
    zeros = pa.table({"x": np.zeros(40_000_000)})
    pq.write_table(
        zeros, path, compression="zstd", use_dictionary=False, data_page_size=1 << 30, row_group_size=1 << 30
    )
    about = pq.read_metadata(path).row_group(0)
    for size in {about.total_byte_size, about.column(0).total_uncompressed_size}:
        claim(path, size, 1000)
    assert pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size == 1000
    with pytest.raises(InputError, match=r"a\.parquet: \d+ bytes that decompress to more than 3\d\d MB"):
        read_bounded(path)


@pytest.mark.parametrize(
    "column",
    [
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(60, np.int32)), pa.array(["y" * 20_000_000])),
        pa.array([["y" * 20_000_000] * 10] * 6),
        pa.array([{"a": "y" * 20_000_000}] * 60),
    ],
    ids=["text", "lists of text", "structs of text"],
)
def test_a_dictionary_of_one_huge_cell_is_refused(tmp_path, column):
    pq.write_table(pa.table({"file": column}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    with pytest.raises(InputError, match=r"a\.parquet: \d+ bytes that decompress to more than \d+ MB"):
        read_bounded(tmp_path / "a.parquet")


WIDE = pa.table({
    "id": np.arange(300),
    "file": [f"é{i}" for i in range(300)],
    "feh": np.linspace(-2, 0, 300),
    "flag": np.arange(300) % 2 == 0,
    "gaps": pa.array([None if i % 3 else i for i in range(300)]),
    "wave": pa.array([[1.0, 2.0][: i % 3] for i in range(300)]),
    "flux": pa.FixedSizeListArray.from_arrays(pa.array(np.ones(1200, np.float32)), 4),
    "names": pa.array([["a", None][: i % 3] for i in range(300)]),
    "kind": pa.array(["x", "y"] * 150).dictionary_encode(),
    "pair": pa.array([{"a": "b", "c": 1}] * 300),
    "bytes": pa.array([b"ab"] * 300),
    "map": pa.array([[("k", "v")]] * 300, pa.map_(pa.string(), pa.string())),
})  # fmt: skip


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "none"},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"use_dictionary": False, "compression": "zstd", "data_page_size": 100},
        {"row_group_size": 7},
        {"write_page_index": True, "write_page_checksum": True},
        {"store_schema": False},
    ],
)
def test_what_arrow_reads_is_read_alike(tmp_path, how):
    path = tmp_path / "a.parquet"
    pq.write_table(WIDE, path, **how)
    expected = pq.read_table(path)
    kind = pa.table({"kind": expected["kind"].cast(pa.string())})["kind"]
    expected = expected.set_column(expected.column_names.index("kind"), "kind", kind)
    for found in (read_bounded(path), read_bounded(path.read_bytes(), where="a")):
        assert found.equals(expected)
    assert read_bounded(path, ["feh", "wave"]).equals(expected.select(["feh", "wave"]))


def test_a_table_without_rows(tmp_path):
    pq.write_table(WIDE.slice(0, 0), tmp_path / "a.parquet")
    assert read_bounded(tmp_path / "a.parquet").shape == (0, WIDE.num_columns)


def test_checksums_of_pages_are_compared(tmp_path):
    """Whoever has written them: a flipped bit of a value is told, not read."""
    path = tmp_path / "a.parquet"
    values = np.random.default_rng(0).random(5000)
    table = pa.table({"obsid": np.arange(5000), "feh": values})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    whole = path.read_bytes()
    place = whole.index(values[2500].tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(InputError, match=r"a\.parquet: damaged or not a parquet file \(.*CRC"):
        read_bounded(path)
    with pytest.raises(InputError, match=r"a\.parquet: damaged"):
        read_labels(path)


def test_flipped_bits_never_end_in_another_error(tmp_path):
    """Without checksums a value may be another; but nothing crashes, and no row is missing."""
    path = tmp_path / "set" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(WIDE, path)
    _, harmless, faults = flip_bits(path, lambda: read_bounded(path), lambda found: found.num_rows == 300, 800)
    assert not faults
    assert harmless


def test_only_regular_files_are_opened(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(WIDE, path)
    for _ in not_files(path):
        with pytest.raises(InputError, match=r"a\.parquet"):
            read_bounded(path)
    with pytest.raises(InputError, match="no such file"):
        read_bounded(path)
    with pytest.raises(InputError, match="not a parquet file"), opened(Path(__file__)) as file:
        file.read()
