"""npz, parquet and safetensors: claims, types, entries; and the same content written otherwise."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .mutators import Unfit, mutator


def _entries(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def _zip(entries, compression=zipfile.ZIP_STORED, comment=b""):
    out = io.BytesIO()
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", compression) as archive:
        warnings.simplefilter("ignore")
        for name, data in entries.items() if isinstance(entries, dict) else entries:
            # With one date for all, lest a case depends on when it is made.
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        archive.comment = comment
    return out.getvalue()


def _npy(array, **options):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), **options)
    return out.getvalue()


def _with_array(content, rng, change, only=None):
    entries = _entries(content)
    name = rng.choice([n for n in entries if only is None or n.removesuffix(".npy") in only])
    entries[name] = change(np.load(io.BytesIO(entries[name])))
    return _zip(entries)


@mutator("npz")
def packed_otherwise(content, rng):
    return _zip(
        _entries(content), rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    )


@mutator("npz")
def a_comment_of_the_archive(content, rng):
    return _zip(_entries(content), comment=b"made by hand")


@mutator("npz")
def entries_in_another_order(content, rng):
    entries = list(_entries(content).items())
    rng.shuffle(entries)
    return _zip(entries)


@mutator("npz")
def an_entry_removed(content, rng):
    entries = _entries(content)
    del entries[rng.choice(list(entries))]
    return _zip(entries)


@mutator("npz")
def an_entry_twice(content, rng):
    entries = list(_entries(content).items())
    name, _ = rng.choice(entries)
    return _zip([*entries, (name, rng.choice(entries)[1])])


@mutator("npz")
def an_entry_called_otherwise(content, rng):
    entries = _entries(content)
    name = rng.choice(list(entries))
    new = rng.choice(
        [
            "flux.npy",
            "Flux.npy",
            "../../x.npy",
            "/etc/x.npy",
            "wave",
            "loglam.npy",
            "ivar.npy",
            "err.npy",
            "x.npy",
            "é.npy",
            "",
        ]
    )
    return _zip([(new if n == name else n, data) for n, data in entries.items()])


@mutator("npz")
def an_entry_added(content, rng):
    entries = _entries(content)
    more = rng.choice([("README.txt", b"hello"), ("x.npy", _npy(np.arange(7))), ("y.npy", _npy(np.zeros((3, 3)))),
        ("z.npy", b"junk"),
                       ("o.npy", _npy(np.array([{}], object), allow_pickle=True)), ("meta_star.npy",
                           _npy(np.array(["a", "b"])))])  # fmt: skip
    return _zip({**entries, more[0]: more[1]})


@mutator("npz", damaged=True)
def a_shape_claimed(content, rng):
    entries = _entries(content)
    name = rng.choice([n for n in entries if b"'shape': (" in entries[n]])
    shape = rng.choice(
        [
            b"(1000000000000000,)",
            b"(-1,)",
            b"(1000000, 1000000)",
            b"()",
            b"(0,)",
            b"(9999999999999999999999,)",
            b"(1,)",
            b"(3000000000,)",
        ]
    )
    data = entries[name]
    size = struct.unpack("<H", data[8:10])[0]
    header = re.sub(rb"'shape': \([^)]*\)", b"'shape': " + shape, data[10 : 10 + size].strip())
    header = header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + b"\n"
    entries[name] = data[:8] + struct.pack("<H", len(header)) + header + data[10 + size :]
    return _zip(entries)


@mutator("npz")
def another_type(content, rng):
    kind = rng.choice(
        [np.float32, np.float64, ">f8", ">f4", np.float16, np.complex128, "S20", "U20", np.int64, bool, np.longdouble]
    )
    return _with_array(content, rng, lambda array: _npy(array.astype(kind)), ("wave", "flux", "ivar"))


@mutator("npz")
def another_order_in_memory(content, rng):
    return _with_array(content, rng, lambda array: _npy(np.asfortranarray(array)), ("flux", "ivar", "mask"))


@mutator("npz")
def objects(content, rng):
    return _with_array(content, rng, lambda array: _npy(array.astype(object), allow_pickle=True))


@mutator("npz")
def other_values(content, rng):
    def change(array):
        array = np.array(array)
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -1, 0, 1e39, 1e-50])
        return _npy(array)

    return _with_array(content, rng, change, ("wave", "flux", "ivar", "velocity"))


@mutator("npz")
def another_shape(content, rng):
    return _with_array(content, rng, lambda a: _npy(rng.choice([a.T, a[None], a[..., :-1], a.reshape(-1), a[:0],
        np.atleast_1d(a)[0]])),
                       ("wave", "flux", "ivar", "mask", "id"))  # fmt: skip


@mutator("npz")
def a_bomb_in_the_archive(content, rng):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (230000000,), }".ljust(117) + b"\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    out, bomb = io.BytesIO(), rng.choice(["flux.npy", "x.npy", "wave.npy"])
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in _entries(content).items():
            if name != bomb:
                archive.writestr(name, data)
        with archive.open(bomb, "w") as entry:
            entry.write(head)
            for _ in range(230):
                entry.write(b"\0" * 8_000_000)
    return out.getvalue()


def _table(content):
    try:
        return pq.read_table(pa.BufferReader(content))
    except Exception as error:
        raise Unfit(str(error)) from None


def _write(table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


@mutator("parquet")
def written_otherwise(content, rng):
    """Harmless."""
    return _write(_table(content), **rng.choice([
        {"compression": "none"}, {"compression": "snappy"}, {"compression": "gzip"}, {"row_group_size": 1},
            {"use_dictionary": False},
        {"version": "1.0"}, {"data_page_version": "2.0"}, {"write_page_checksum": True}, {"data_page_size": 64},
            {"write_statistics": False},
    ]))  # fmt: skip


@mutator("parquet")
def columns_moved(content, rng):
    table = _table(content)
    return _write(table.select(rng.sample(table.column_names, table.num_columns)))


@mutator("parquet")
def a_column_gone(content, rng):
    table = _table(content)
    return _write(table.drop_columns([rng.choice(table.column_names)]))


@mutator("parquet")
def a_column_twice(content, rng):
    table = _table(content)
    k = rng.randrange(table.num_columns)
    return _write(table.append_column(table.schema.field(k), table.column(rng.randrange(table.num_columns))))


@mutator("parquet")
def a_column_called_otherwise(content, rng):
    table = _table(content)
    names = list(table.column_names)
    names[rng.randrange(len(names))] = rng.choice(
        ["flux", "FLUX", "x", "", "loglam", "ivar", "error", "id", "star", "feh", "é", "a.b"]
    )
    return _write(table.rename_columns(names))


@mutator("parquet")
def a_column_of_another_type(content, rng):
    table = _table(content)
    k = rng.randrange(table.num_columns)
    field, column = table.schema.field(k), table.column(k)
    kind = rng.choice(
        [
            pa.float32(),
            pa.float64(),
            pa.int64(),
            pa.int32(),
            pa.string(),
            pa.large_string(),
            pa.float16(),
            pa.binary(),
            pa.uint64(),
        ]
    )
    try:
        if pa.types.is_nested(field.type):
            wide = rng.choice(
                [pa.large_list(pa.float64()), pa.list_(pa.float64()), pa.list_(pa.float32()), pa.list_(pa.string())]
            )
            return _write(table.set_column(k, field.name, column.cast(wide)))
        return _write(table.set_column(k, field.name, column.cast(kind)))
    except pa.ArrowException as error:
        raise Unfit(str(error)) from None


@mutator("parquet")
def text_by_a_dictionary(content, rng):
    """Harmless."""
    table = _table(content)
    places = [i for i, field in enumerate(table.schema) if pa.types.is_string(field.type)]
    if not places:
        raise Unfit
    return _write(
        table.set_column(places[0], table.column_names[places[0]], table.column(places[0]).dictionary_encode())
    )


@mutator("parquet")
def a_cell_changed(content, rng):
    table = _table(content)
    k, row = rng.randrange(table.num_columns), rng.randrange(table.num_rows)
    cells, field = table.column(k).to_pylist(), table.schema.field(k)
    value = rng.choice([None, 0, -1, 1e39, float("nan"), float("inf"), "x", "", 2**63 - 1, -9999, 5000])
    if isinstance(cells[row], list):
        cells[row] = list(cells[row])
        if rng.random() < 0.3:
            cells[row] = rng.choice([cells[row][:-1], [], cells[row] + cells[row][-1:], None])
        else:
            cells[row][rng.randrange(len(cells[row]))] = value
    else:
        cells[row] = value
    try:
        return _write(table.set_column(k, field.name, pa.array(cells, field.type)))
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise Unfit(str(error)) from None


@mutator("parquet")
def rows_changed(content, rng):
    table = _table(content)
    n = table.num_rows
    return _write(
        rng.choice(
            [
                table.slice(0, n - 1),
                table.slice(1),
                table.slice(0, 0),
                pa.concat_tables([table, table]),
                table.take(list(range(n))[::-1]),
            ]
        )
    )


@mutator("parquet")
def metadata_changed(content, rng):
    table = _table(content)
    about = dict(table.schema.metadata or {})
    about.pop(b"ARROW:schema", None)
    key, value = rng.choice([
        (b"medium", b"air"), (b"medium", b"water"), (b"wave", b"[1"), (b"wave", b"[4000, NaN]"), (b"wave", b"{}"),
            (b"frame", b"rest"),
        (b"note", b"hello"), (b"\xff", b"\xff"), (b"wave", b"[" * 100_000), (b"unit", b"nm"), (b"medium", b"\xff\xfe"),
    ])  # fmt: skip
    return _write(table.replace_schema_metadata({**about, key: value}))


@mutator("parquet", damaged=True)
def one_bit_of_the_footer(content, rng):
    size = struct.unpack("<I", content[-8:-4])[0]
    place = len(content) - 8 - rng.randrange(1, max(2, min(size, len(content) - 12)))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


@mutator("parquet", damaged=True)
def footer_of_another_length(content, rng):
    size = rng.choice([0, 1, 2**31 - 1, 2**32 - 1, len(content), struct.unpack("<I", content[-8:-4])[0] - 1])
    return content[:-8] + struct.pack("<I", size) + content[-4:]


@mutator("parquet", damaged=True)
def more_rows_claimed(content, rng):
    """Counts in the footer are zigzag varints: the one of the file's rows is made long."""
    n = _table(content).num_rows
    old = bytes([0x16, 2 * n]) if n < 64 else None
    size = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - size : -8]
    if old is None or old not in footer:
        raise Unfit
    claim, out = 2 * rng.choice([10**3, 10**9, 10**15, 2**62]), bytearray([0x16])
    while claim > 127:
        out.append(claim & 127 | 128)
        claim >>= 7
    out.append(claim)
    places = [found.start() for found in re.finditer(re.escape(old), footer)]
    place = rng.choice(places)
    footer = footer[:place] + bytes(out) + footer[place + 2 :]
    return content[: -8 - size] + footer + struct.pack("<I", len(footer)) + b"PAR1"


@mutator("parquet")
def many_rows_of_one_value(content, rng):
    table = _table(content)
    name = rng.choice(table.column_names)
    values = {column: table.column(column).slice(0, 1) for column in table.column_names}
    n = 2_000_000
    out = io.BytesIO()
    one = pa.table(
        {
            k: (v.take(pa.array([0] * n)) if k == name else pa.nulls(n, v.type))
            for k, v in values.items()
            if not pa.types.is_nested(v.type)
        }
    )
    if not one.num_columns:
        raise Unfit
    with pq.ParquetWriter(out, one.schema, compression="zstd") as writer:
        for _ in range(40):
            writer.write_table(one)
    return out.getvalue()


def _safe(content):
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _unsafe(header, data):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


@mutator("safetensors")
def metadata_added(content, rng):
    """Harmless."""
    header, data = _safe(content)
    return _unsafe({"__metadata__": {"format": "pt"}, **header}, data)


@mutator("safetensors")
def tensors_in_another_order(content, rng):
    """Harmless."""
    header, data = _safe(content)
    names = list(header)
    rng.shuffle(names)
    return _unsafe({name: header[name] for name in names}, data)


@mutator("safetensors", damaged=True)
def header_of_another_length(content, rng):
    size = rng.choice([0, 1, 2**63, 2**64 - 1, 2**40, len(content), struct.unpack("<Q", content[:8])[0] + 8])
    return struct.pack("<Q", size) + content[8:]


@mutator("safetensors", damaged=True)
def header_changed(content, rng):
    header, data = _safe(content)
    name = rng.choice([n for n in header if n != "__metadata__"])
    about = header[name]
    match rng.randrange(7):
        case 0:
            about["shape"] = rng.choice([[10**15], [], [-1], [0], [1] * 50, about["shape"][::-1], ["x"], None])
        case 1:
            about["dtype"] = rng.choice(["F64", "F16", "I32", "X", "BOOL", "", None, "BF16"])
        case 2:
            about["data_offsets"] = rng.choice([[0, 10**15], [-4, 0], [4, 0], [0], about["data_offsets"] + [1], [0, 4]])
        case 3:
            header[name + "x"] = header.pop(name)
        case 4:
            del header[name]
        case 5:
            header["more"] = dict(about)
        case 6:
            return _unsafe(rng.choice([b"[" * 100_000, b"{}", b"{", b"null", b'{"a":1,"a":1}']), data)
    return _unsafe(header, data)


@mutator("safetensors")
def weights_changed(content, rng):
    header, data = _safe(content)
    name = rng.choice([n for n in header if n != "__metadata__"])
    first, last = header[name]["data_offsets"]
    value = rng.choice([float("nan"), float("inf"), 0.0, -1.0, 1e38, 1e-40])
    n = (last - first) // 4
    if rng.random() < 0.5 and n > 1:
        place = first + 4 * rng.randrange(n)
        return _unsafe(header, data[:place] + struct.pack("<f", value) + data[place + 4 :])
    return _unsafe(header, data[:first] + struct.pack("<f", value) * n + data[last:])
