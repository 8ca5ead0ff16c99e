import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transtar.datasets import SetReader, SetWriter, add_input, join_sets, read_set, star_names, stream_set, usable
from transtar.errors import InputError, MismatchError
from transtar.files import read_json
from transtar.flags import Flag
from transtar.preprocess import GridSpectra, Preprocessing
from transtar.seal import sealed

from ..hostile import flip_bits, not_files, seal_again, try_hostile_values

BIG = 2**62 + 1
SIZE = 1462


def spectra(n, seed=0, ivar=True):
    rng = np.random.default_rng(seed)
    flux = rng.random((n, SIZE)).astype(np.float32)
    flux[0] = np.nan
    flags = np.full(n, 0 if ivar else int(Flag.NO_IVAR), np.int32)
    flags[0] |= Flag.CONTINUUM_FAILED
    return GridSpectra(
        flux,
        rng.random((n, SIZE)).astype(np.float32) if ivar else None,
        rng.random(n).astype(np.float32),
        np.where(np.arange(n) % 2, np.nan, rng.random(n)).astype(np.float32),
        flags,
    )


def columns_of(part, first=0, **more):
    n = len(part)
    return {
        "file": np.array([f"é{i}.fits" for i in range(first, first + n)]),
        "id": BIG + np.arange(first, first + n),
        "survey": np.full(n, "lamost"),
        "velocity": np.full(n, np.nan),
        "snr": part.snr,
        "good_fraction": part.good_fraction,
        "flags": part.flags,
        **more,
    }


def write(path, n=10, batch=4, ivar=True, preprocessing=None, labels=("feh",), provenance=None, **more):
    whole = spectra(n, ivar=ivar)
    with SetWriter(path, preprocessing or Preprocessing(), provenance or {"by": "test"}) as writer:
        for start in range(0, n, batch):
            rows = slice(start, start + batch)
            part = GridSpectra(
                whole.flux[rows], None if whole.ivar is None else whole.ivar[rows], whole.good_fraction[rows],
                whole.snr[rows], whole.flags[rows],
            )  # fmt: skip
            writer.append(part, columns_of(part, start))
        columns = writer.columns() | {name: np.linspace(-2, 0, n) for name in labels}
        columns = columns | {"split": np.full(n, "pool")} | more
        writer.finish(columns, labels)
    return whole, columns


@settings(max_examples=30, deadline=None)
@given(rows=st.tuples(st.integers(0, 23), st.integers(0, 23)).map(sorted), size=st.integers(1, 30))
def test_some_rows_are_those_of_the_whole(twenty_three, rows, size):
    reader = SetReader(twenty_three)
    first, end = rows
    parts = list(reader.batches(size, (first, end)))
    assert sum(map(len, parts)) == end - first
    assert all(len(part) <= size for part in parts)
    if parts:
        some, whole = join_sets(parts), read_set(twenty_three).select(slice(first, end))
        np.testing.assert_array_equal(some.flux, whole.flux)
        np.testing.assert_array_equal(some.ivar, whole.ivar)
        np.testing.assert_array_equal(some.columns["id"], whole.columns["id"])
        np.testing.assert_array_equal(some.gathered("one").input("one"), whole.gathered("one").input("one"))


@pytest.fixture(scope="module")
def twenty_three(tmp_path_factory):
    """A set in row groups of 4, with a further input."""
    folder = tmp_path_factory.mktemp("rows") / "set"
    write(folder, n=23)
    add_input(folder, "one", np.arange(46, dtype=np.float32).reshape(23, 2))
    return folder


def test_a_damaged_page_is_found_in_some_rows(tmp_path):
    write(tmp_path / "set", n=23)
    file = tmp_path / "set" / "spectra.parquet"
    content = bytearray(file.read_bytes())
    place = pq.ParquetFile(file).metadata.row_group(3).column(0).data_page_offset + 500
    content[place] ^= 1
    file.write_bytes(content)
    reader = SetReader(tmp_path / "set")
    assert sum(map(len, reader.batches(rows=(0, 12)))) == 12
    with pytest.raises(InputError, match="CRC checksum"):
        list(reader.batches(rows=(11, 13)))


@pytest.mark.parametrize("ivar", [True, False])
def test_round_trip_is_bit_exact(tmp_path, ivar):
    whole, columns = write(tmp_path / "set", ivar=ivar, extra=np.array([True, False] * 5), feh=np.array([np.nan] * 10))
    back = read_set(tmp_path / "set")
    assert back.flux.tobytes() == whole.flux.tobytes()
    assert (back.ivar is None) if not ivar else back.ivar.tobytes() == whole.ivar.tobytes()
    assert list(back.columns) == list(columns)
    for name, column in columns.items():
        np.testing.assert_array_equal(back.columns[name], column)
        assert back.columns[name].dtype.kind == column.dtype.kind
    assert back.columns["id"].dtype == np.int64
    assert back.columns["id"][0] == BIG
    assert (back.labels, back.preprocessing, back.provenance) == (("feh",), Preprocessing(), {"by": "test"})
    assert back.survey == "lamost"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_a_set_is_the_same_however_it_is_written_and_read(tmp_path, n, batch, size):
    write(tmp_path / "set", n=n, batch=batch)
    parts = list(stream_set(tmp_path / "set", batch_size=size))
    assert max(len(part) for part in parts) <= size
    joined, whole = join_sets(parts), read_set(tmp_path / "set")
    assert joined.flux.tobytes() == whole.flux.tobytes() == spectra(n).flux.tobytes()
    assert joined.columns["id"].tolist() == [BIG + i for i in range(n)]
    assert joined.hash == whole.hash
    assert whole.columns["feh"].tolist() == np.linspace(-2, 0, n).tolist()


def test_hash_tells_other_fluxes(tmp_path):
    write(tmp_path / "a", n=10, batch=3)
    write(tmp_path / "b", n=10, batch=10)
    write(tmp_path / "c", n=9)
    a, b, c = (read_set(tmp_path / name).hash for name in "abc")
    assert a == b != c


def test_select_targets_and_arguments(tmp_path):
    write(tmp_path / "set", labels=("feh", "teff"), star=np.array(["s1", "s1", *[""] * 8]))
    prepared = read_set(tmp_path / "set")
    assert prepared.select(slice(2, 5)).columns["id"].tolist() == [BIG + 2, BIG + 3, BIG + 4]
    assert prepared.targets(["teff", "feh"]).shape == (10, 2)
    with pytest.raises(InputError, match="no label 'alphafe'; it has: feh, teff"):
        prepared.targets(["alphafe"])
    assert usable(prepared).tolist() == [False] + [True] * 9
    assert star_names(prepared.columns)[:3].tolist() == ["s1", "s1", str(BIG + 2)]
    stars = prepared.stars(["feh"], np.array([1, 3]))
    assert stars.ids.tolist() == [BIG + 1, BIG + 3]
    assert stars.labels.shape == (2, 1)
    assert stars.inputs.shape == (2, SIZE)
    assert (stars.preprocessing, stars.set_hash, stars.input) == (prepared.preprocessing, prepared.hash, "flux")


def test_files_stand_in_for_stars_without_name_or_id():
    columns = {"file": np.array(["a", "b"]), "id": np.array([-1, -1])}
    assert star_names(columns).tolist() == ["a", "b"]


def test_an_old_set_is_replaced_only_when_the_new_one_is_complete(tmp_path):
    write(tmp_path / "set", n=5)
    before = read_set(tmp_path / "set").hash

    def interrupted():
        with SetWriter(tmp_path / "set", Preprocessing(), {}) as writer:
            part = spectra(3)
            writer.append(part, columns_of(part))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with (
        pytest.raises(InputError, match="no spectrum could be prepared"),
        SetWriter(tmp_path / "set", Preprocessing(), {}) as writer,
    ):
        writer.finish({}, [])
    assert read_set(tmp_path / "set").hash == before
    write(tmp_path / "set", n=7)
    assert len(read_set(tmp_path / "set")) == 7
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_what_is_no_prepared_set_is_never_replaced(tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    for path in (folder, tmp_path / "file"):
        with pytest.raises(InputError, match="exists and is not a prepared set; choose another name"):
            SetWriter(path, Preprocessing(), {})
    assert (folder / "chapter.tex").read_text() == "years of work"


def test_join(tmp_path):
    write(tmp_path / "a", n=4, labels=("feh",))
    write(tmp_path / "b", n=3, labels=("teff",), ivar=False, only=np.array(["x", "y", "z"]))
    a, b = read_set(tmp_path / "a"), read_set(tmp_path / "b")
    both = join_sets([a, b])
    assert both.labels == ("feh", "teff")
    assert np.isnan(both.columns["feh"][4:]).all()
    assert np.isnan(both.columns["teff"][:4]).all()
    assert both.columns["only"].tolist() == [""] * 4 + ["x", "y", "z"]
    assert (both.ivar[4:] == 0).all()
    assert join_sets([a]) is a
    write(tmp_path / "c", n=3, preprocessing=Preprocessing(frame="observed"))
    with pytest.raises(
        MismatchError, match="one and other were preprocessed differently: frame is rest against observed"
    ):
        join_sets([a, read_set(tmp_path / "c")], ["one", "other"])
    with pytest.raises(MismatchError, match="set 1 and set 2"):
        join_sets([a, read_set(tmp_path / "c")])


def edit(path, seal=True, **changes):
    description = json.loads((path / "set.json").read_text())
    for name, value in changes.items():
        description.pop(name) if value is None else description.update({name: value})
    (path / "set.json").write_text(json.dumps(description))
    if seal:
        seal_again(path)


def put(table, path, again):
    pq.write_table(table, path)
    seal_again(again)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda s: (s / "set.json").unlink(), InputError, "is not a prepared set"),
        (lambda s: (s / "set.json").write_text("{"), InputError, "not a JSON file"),
        (lambda s: (s / "set.json").write_text("[1]"), InputError, "set.json"),
        (lambda s: edit(s, labels=None), InputError, "set.json lacks a usable labels"),
        (lambda s: edit(s, n_spectra=99), InputError, "has 10 rows, set.json says 99"),
        (lambda s: edit(s, format=99), MismatchError, "format 99 is newer"),
        (lambda s: edit(s, format="x"), InputError, "set.json"),
        (lambda s: edit(s, labels=["alphafe"]), InputError, "alphafe"),
        (lambda s: edit(s, preprocessing=3), InputError, "set.json"),
        (lambda s: edit(s, preprocessing={"version": 99}), MismatchError, "version 99 was made by another"),
        (lambda s: cut(s / "spectra.parquet"), InputError, "damaged or not a parquet file"),
        (lambda s: cut(s / "stars.parquet"), InputError, "damaged, or of another origin"),
        (lambda s: (s / "stars.parquet").write_bytes(b""), InputError, "damaged, or of another origin"),
        (lambda s: (cut(s / "stars.parquet"), seal_again(s)), InputError, "damaged or not a parquet file"),
        (lambda s: edit(s, seal=False, n_spectra=9), InputError, "its checksum does not fit its content"),
        (lambda s: edit(s, sha256=None, seal=False), InputError, "no description of format 2: missing or unknown sha256"),
        (lambda s: edit(s, ivar_sha256=None), InputError, "no description of format 2: missing or unknown ivar_sha256"),
        (lambda s: edit(s, format=1), InputError, "no description of format 1: missing or unknown"),
        (lambda s: edit(s, format=0), InputError, "no description of format 0"),
        (lambda s: edit(s, format=True), InputError, "lacks a usable format"),
        (lambda s: (s / "spectra.parquet").unlink(), InputError, r"has no file spectra\.parquet"),
        (lambda s: put(pq.read_table(s / "stars.parquet").slice(1), s / "spectra.parquet", again=s), InputError, "rows"),
        (lambda s: put(pq.read_table(s / "stars.parquet"), s / "spectra.parquet", again=s), InputError, "flux"),
        (lambda s: put(pq.read_table(s / "stars.parquet").drop(["flags"]), s / "stars.parquet", again=s), InputError, "flags"),
    ],
)  # fmt: skip
def test_damaged_sets(tmp_path, damage, error, message):
    write(tmp_path / "set")
    damage(tmp_path / "set")
    with pytest.raises(error, match=message) as caught:
        read_set(tmp_path / "set")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_selection_of_a_set(tmp_path):
    write(tmp_path / "set")
    prepared = read_set(tmp_path / "set")
    assert len(prepared.select(np.zeros(10, bool))) == 0
    assert len(replace(prepared, hash="").grid_spectra()) == 10


def test_hostile_values_everywhere(tmp_path):
    """In any place of a description, whatever stands there is used, or refused in words."""
    write(tmp_path / "set")
    content = read_json(tmp_path / "set/set.json")

    def use(changed):
        # As a stranger would write it, and as damage leaves it.
        (tmp_path / "set/set.json").write_text(json.dumps(sealed(changed)))
        made = read_set(tmp_path / "set")
        if made.labels:
            made.targets(made.labels)

    refused, faults = try_hostile_values(use, content)
    assert not faults
    assert refused > 200


@pytest.mark.parametrize("label", ["file", "survey", "../up", "flags", "a/b", "feh_err", "\x1b[31m", 7])
def test_a_label_that_is_none(tmp_path, label):
    write(tmp_path / "set")
    edit(tmp_path / "set", labels=[label])
    with pytest.raises(InputError, match=r"set\.json: labels: "):
        read_set(tmp_path / "set")


def change(path, name, array):
    """Put another column into a file of a set."""
    table = pq.read_table(path)
    index = table.column_names.index(name)
    pq.write_table(table.set_column(index, name, array), path)
    seal_again(path.parent)


def test_columns_of_another_kind(tmp_path):
    for name, array in (("feh", ["a"] * 10), ("id", [1.5] * 10), ("flags", ["x"] * 10), ("file", list(range(10)))):
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        write(tmp_path / "set")
        change(tmp_path / "set/stars.parquet", name, pa.array(array))
        with pytest.raises(InputError, match=f"column {name} of stars.parquet is of another kind"):
            read_set(tmp_path / "set")
    for array in (list(range(10)), [[1.0]] * 10, ["a"] * 10):
        shutil.rmtree(tmp_path / "set")
        write(tmp_path / "set")
        change(tmp_path / "set/spectra.parquet", "flux", pa.array(array))
        with pytest.raises(InputError, match=r"flux in spectra.parquet is no float32 on 1462 pixels"):
            read_set(tmp_path / "set")


def test_a_set_that_would_exhaust_memory(tmp_path, monkeypatch):
    """Zeros compress ten thousand times, spectra by less than half; in earnest it is a few hundred kB for gigabytes."""
    monkeypatch.setattr("transtar.tables.parquet_claims.FREE", 1 << 20)
    write(tmp_path / "set")
    n = 20_000
    kind = pa.list_(pa.float32(), SIZE)
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(SIZE * 1000, np.float32)), SIZE)
    with pq.ParquetWriter(
        tmp_path / "set/spectra.parquet", pa.schema({"flux": kind, "ivar": kind}), compression="zstd"
    ) as out:
        for _ in range(n // 1000):
            out.write_table(pa.table({"flux": zeros, "ivar": zeros}))
    stars = pq.read_table(tmp_path / "set/stars.parquet").take(np.zeros(n, int))
    pq.write_table(stars, tmp_path / "set/stars.parquet", compression="zstd")
    edit(tmp_path / "set", n_spectra=n)
    with pytest.raises(InputError, match=r"spectra\.parquet: \d+ bytes that decompress to more than \d+ MB"):
        read_set(tmp_path / "set")


def test_notes_in_the_folder_of_a_set_are_kept(tmp_path):
    write(tmp_path / "set")
    (tmp_path / "set/notes.txt").write_text("mine")
    (tmp_path / "set/plots").mkdir()
    write(tmp_path / "set", n=5)
    assert len(read_set(tmp_path / "set")) == 5
    assert (tmp_path / "set/notes.txt").read_text() == "mine"
    assert (tmp_path / "set/plots").is_dir()


def test_a_dictionary_of_one_huge_cell_is_refused(tmp_path):
    """Two kilobytes that stand for gigabytes of text, in a table of labels as in a set."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from transtar.labels import read_labels

    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(60, np.int32)), pa.array(["y" * 20_000_000]))
    pq.write_table(pa.table({"file": cells, "feh": np.zeros(60)}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    with pytest.raises(InputError, match=r"a\.parquet: \d+ bytes that decompress to more than 1200 MB"):
        read_labels(tmp_path / "a.parquet")


def test_one_wide_cell_does_not_widen_all_rows(tmp_path, caplog):
    from transtar.labels import read_labels

    rows = "".join(f"{i},-0.5,x\n" for i in range(2000))
    (tmp_path / "a.csv").write_text(f"obsid,feh,note\n{rows}2000,-0.5,{'y' * (1 << 20)}\n")
    labels = read_labels(tmp_path / "a.csv")
    assert (len(labels["feh"]), "note" in labels) == (2001, False)
    assert "a cell of 1048576 characters among 2001 rows; no name is as long; the column is passed over" in caplog.text


def same_set(one, other):
    """Whether two sets hold the same, bit for bit."""
    parts = ("labels", "preprocessing", "provenance", "hash")
    return (
        one.flux.tobytes() == other.flux.tobytes()
        and one.ivar.tobytes() == other.ivar.tobytes()
        and list(one.columns) == list(other.columns)
        and all(column.tobytes() == other.columns[name].tobytes() for name, column in one.columns.items())
        and all(getattr(one, name) == getattr(other, name) for name in parts)
    )


@pytest.mark.parametrize(("name", "n"), [("set.json", 400), ("stars.parquet", 300), ("spectra.parquet", 300)])
def test_one_flipped_bit_is_told(tmp_path, name, n):
    write(tmp_path / "set", n=6, star=np.array(["s1", "s1", "", "", "", ""]))
    whole = read_set(tmp_path / "set")
    told, harmless, faults = flip_bits(
        tmp_path / "set" / name, lambda: read_set(tmp_path / "set"), lambda found: same_set(found, whole), n
    )
    assert not faults
    assert told > 0.9 * (told + harmless)
    assert same_set(read_set(tmp_path / "set"), whole)


def test_flipped_bits_of_a_footer_are_told(tmp_path):
    """Few of the bits of a file are there, but those decide what all others mean."""
    write(tmp_path / "set", n=6)
    path = tmp_path / "set/spectra.parquet"
    whole = path.read_bytes()
    for place in range(len(whole) - 1200, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"spectra\.parquet: damaged"):
            read_set(tmp_path / "set")


def test_spectra_of_another_set_are_told(tmp_path):
    """Of as many stars, and written alike: their footers are the same."""
    for name, factor in (("a", 1), ("b", 2)):
        whole = spectra(6, seed=1)
        flux = np.where(np.arange(SIZE) % 2, 0.5, 0.25).astype(np.float32) * factor
        part = replace(whole, flux=np.tile(flux, (6, 1)), ivar=np.ones((6, SIZE), np.float32))
        with SetWriter(tmp_path / name, Preprocessing(), {}) as writer:
            writer.append(part, columns_of(part))
            writer.finish(writer.columns() | {"split": np.full(6, "pool")}, [])
    (tmp_path / "a/spectra.parquet").write_bytes((tmp_path / "b/spectra.parquet").read_bytes())
    with pytest.raises(InputError, match=r"spectra\.parquet: damaged, or of another set"):
        read_set(tmp_path / "a")
    # Even if the footer fits, the fluxes do not, which is said before the last of them is given.
    seal_again(tmp_path / "a")
    given = []
    with pytest.raises(InputError, match=r"flux is damaged, or of another set"):
        given.extend(stream_set(tmp_path / "a", batch_size=4))
    assert len(given) <= 1


def test_sets_of_the_first_format_are_read(tmp_path, caplog):
    """They have a hash of the flux, which is compared, and none of anything else, which is said."""
    whole, _ = write(tmp_path / "set")
    content = json.loads((tmp_path / "set/set.json").read_text())
    known = ("n_spectra", "labels", "preprocessing", "flux_sha256", "provenance")
    first = {"format": 1} | {name: content[name] for name in known}
    (tmp_path / "set/set.json").write_text(json.dumps(first))
    assert read_set(tmp_path / "set").flux.tobytes() == whole.flux.tobytes()
    assert "a set of an older transtar, with a checksum of its fluxes only" in caplog.text
    (tmp_path / "set/set.json").write_text(json.dumps(first | {"flux_sha256": "0" * 64}))
    with pytest.raises(InputError, match="flux is damaged"):
        read_set(tmp_path / "set")
    (tmp_path / "set/set.json").write_text(json.dumps(first | {"note": 1}))
    with pytest.raises(InputError, match="no description of format 1: missing or unknown note"):
        read_set(tmp_path / "set")


@pytest.mark.parametrize("name", ["set.json", "stars.parquet", "spectra.parquet"])
def test_only_regular_files_are_opened(tmp_path, name):
    write(tmp_path / "set", n=3)
    for _ in not_files(tmp_path / "set" / name):
        with pytest.raises(InputError, match="set"):
            read_set(tmp_path / "set")


@pytest.mark.parametrize("name", ["stars.parquet", "spectra.parquet", "set.json"])
def test_a_copy_without_its_list_is_replaced_only_where_it_is_as_it_was_written(tmp_path, name):
    path = tmp_path / "set"
    write(path)
    (path / ".transtar.json").unlink()
    write(path, n=5)
    assert len(read_set(path)) == 5
    (path / ".transtar.json").unlink()
    with (path / name).open("r+b") as file:
        # Another word in the JSON, and an edit of a table.
        content = file.read().replace(b"test", b"mine") if name == "set.json" else file.read() + b"edited"
        file.seek(0)
        file.write(content)
    with pytest.raises(InputError, match="exists and cannot be told to be as transtar wrote it"):
        write(path)
    assert (path / name).read_bytes() == content


def test_memory_does_not_grow_with_the_set(tmp_path):
    write(tmp_path / "set", n=400, batch=20)
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() for _ in stream_set(tmp_path / "set", batch_size=20)]
    # All spectra are 4.7 MB, those of a batch a twentieth of that.
    assert max(held) - before < 2e6
