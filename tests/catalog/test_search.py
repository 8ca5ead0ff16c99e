import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from transtar.catalog import read_catalog, read_columns, read_metadata, search, search_set
from transtar.datasets import SetWriter, add_input, embed_set, read_set
from transtar.datasets.defaults import default_settings
from transtar.encoders import load_alignment, note_of, save_alignment
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.glossary import SEARCH_COLUMNS
from transtar.preprocess import GridSpectra, Preprocessing

from ..datasets.test_embed import network, outside
from ..datasets.test_embed_xp import xp_set
from ..datasets.test_nearest import plain
from ..datasets.test_prepared import BIG, write
from ..encoders.aligned import star_spectra, tiny_alignment

N, N_OTHER = 20, 9


XP = default_settings("gaia-xp")


def write_flux(folder, flux, settings, survey):
    """A set of the spectra, whose identifiers count them."""
    n = len(flux)
    spectra = GridSpectra(flux, None, np.ones(n, np.float32), np.ones(n, np.float32), np.zeros(n, np.int32))
    with SetWriter(folder, settings, {"by": "test"}) as writer:
        known = {"file": files(n), "id": np.arange(n), "survey": np.full(n, survey), "snr": spectra.snr}
        writer.append(spectra, known | {"good_fraction": spectra.good_fraction, "flags": spectra.flags})
        writer.finish(writer.columns() | {"split": np.full(n, "pool")}, [])


def files(n):
    return np.array([f"{i}.fits" for i in range(n)])


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A set that keeps its embeddings, and one that does not; row 0 of each is without flux."""
    folder = tmp_path_factory.mktemp("sets")
    write(folder / "set", n=N, star=np.array([f"s{i // 2}" for i in range(N)]), file=files(N))
    write(folder / "other", n=N_OTHER, labels=(), file=files(N_OTHER))
    embed_set(folder / "set", network())
    return folder


def vectors(folder):
    return network().encode(read_set(folder).flux)


def test_a_set_searched_by_another(sets):
    result = search_set(network(), sets / "set", sets / "other", k=3)
    scores, rows = plain(vectors(sets / "other")[1:], vectors(sets / "set"), 3)
    columns = result.columns
    assert columns["query_id"].tolist() == np.repeat(BIG + np.arange(1, N_OTHER), 3).tolist()
    assert columns["query_file"][:4].tolist() == ["1.fits"] * 3 + ["2.fits"]
    assert columns["neighbour_rank"].tolist() == [1, 2, 3] * (N_OTHER - 1)
    assert columns["set_row"].tolist() == rows.ravel().tolist()
    np.testing.assert_allclose(columns["cosine"], scores.ravel(), rtol=1e-6)
    known = read_set(sets / "set").columns
    for name in ("file", "id", "survey", "star", "snr", "flags"):
        np.testing.assert_array_equal(columns[name], known[name][rows.ravel()])
    np.testing.assert_allclose(columns["feh"], known["feh"][rows.ravel()], rtol=1e-6)
    assert list(columns)[:6] == list(SEARCH_COLUMNS)
    assert (result.n_queries, result.n_rows, result.n_searched) == (N_OTHER - 1, 3 * (N_OTHER - 1), N - 1)


def test_what_is_told(sets, caplog):
    search_set(network(), sets / "set", sets / "other", k=N)
    assert f"{sets / 'set'}: 1 of 20 spectra are near nothing, for want of an embedding (1 not finite)" in caplog.text
    assert f"{sets / 'set'}: 20 neighbours are asked for, and 19 spectra can be one; the table has those" in caplog.text
    assert (
        f"{sets / 'other'}: 1 of 9 spectra have no embedding to search by, and no neighbours in the table"
        in caplog.text
    )
    caplog.clear()
    zeros = outside(lambda flux: np.where(np.arange(len(flux))[:, None] % 4, flux[:, :3], 0))
    search_set(zeros, sets / "set", BIG + 3, k=2)
    assert "6 of 20 spectra are near nothing, for want of an embedding (1 not finite, 5 of zeros alone)" in caplog.text


@pytest.mark.parametrize("query", ["id", "row", "set"])
def test_a_spectrum_is_none_of_its_own_neighbours(sets, query):
    given = {"id": BIG + 4, "row": f"{sets / 'set'}:4", "set": sets / "set"}[query]
    columns = search_set(network(), sets / "set", given, k=N).columns
    of_four = columns["query_id"] == BIG + 4
    assert sorted(columns["set_row"][of_four].tolist()) == [row for row in range(1, N) if row != 4]
    assert (columns["query_id"] != columns["id"]).all()
    # The other spectrum of the star may be.
    assert "s2" in columns["star"][of_four]
    assert (columns["query_star"][of_four] == "s2").all()


@given(st.integers(1, 25), st.integers(1, 7), st.integers(1, 11))
@settings(deadline=None, max_examples=12)
def test_the_sizes_of_blocks_change_nothing(sets, k, block, queries):
    with pytest.MonkeyPatch.context() as patch:
        whole = search_set(network(), sets / "set", sets / "set", k).columns
        patch.setattr(search, "BLOCK", block)
        patch.setattr(search, "CELLS", queries * k)
        parts = search_set(network(), sets / "set", sets / "set", k).columns
    for name, column in whole.items():
        np.testing.assert_array_equal(parts[name], column, err_msg=name)


@pytest.mark.parametrize("ending", ["parquet", "fits", "csv"])
def test_what_is_given_is_what_is_written(sets, tmp_path, ending):
    out = tmp_path / f"near.{ending}"
    written = search_set(network(), sets / "set", sets / "other", 3, out)
    given = search_set(network(), sets / "set", sets / "other", 3)
    assert written.columns is None
    columns = read_columns(out)
    assert list(columns) == list(given.columns)
    for name, column in columns.items():
        np.testing.assert_array_equal(column, given.columns[name], err_msg=name)
    assert columns["query_id"].dtype == columns["id"].dtype == np.int64
    table = read_catalog(out)
    assert table["cosine"].description.startswith("cosine similarity")
    if ending != "csv":
        noted = read_metadata(out)["search"]
        assert noted["encoder"]["name"] == "through"
        assert (noted["top"], noted["query"], noted["data"]) == (3, str(sets / "other"), str(sets / "set"))
    with pytest.raises(InputError, match="the neighbours were written to a file"):
        written.to_table()


def test_the_result_as_a_table(sets):
    result = search_set(network(), sets / "set", BIG + 4, k=2)
    assert isinstance(result.to_table(), Table)
    assert result.to_table()["feh"].unit == "dex"
    assert "Neighbours: 2 of 1 queries" in repr(result)
    assert "19 spectra" in repr(result)


def test_progress_goes_to_the_end(sets, monkeypatch):
    monkeypatch.setattr(search, "QUERY_BLOCK", 4)
    monkeypatch.setattr(search, "BLOCK", 7)
    done = []
    search_set(network(), sets / "set", sets / "set", 2, progress=lambda n, total: done.append((n, total)))
    assert done[-1] == (5 * N, 5 * N)
    assert done == sorted(done)


def test_what_cannot_be(sets, tmp_path):
    given = (network(), sets / "set")
    with pytest.raises(SettingsError, match="k must be a whole number from 1"):
        search_set(*given, BIG + 1, 0)
    with pytest.raises(SettingsError, match="a catalog ends in one of"):
        search_set(*given, BIG + 1, 1, tmp_path / "near.txt")
    with pytest.raises(InputError, match="is read"):
        search_set(*given, BIG + 1, 1, sets / "set/near.csv")
    (tmp_path / "near.csv").write_text("mine")
    with pytest.raises(InputError, match=r"near\.csv: exists and"):
        search_set(*given, BIG + 1, 1, tmp_path / "near.csv")
    assert (tmp_path / "near.csv").read_text() == "mine"
    with pytest.raises(InputError, match="is not a prepared set"):
        search_set(network(), tmp_path / "none", BIG + 1)
    with pytest.raises(MismatchError, match="takes that of the encoder 'through'"):
        search_set(network(seed=1), sets / "set", BIG + 1)


def test_no_neighbour_and_no_query(sets, tmp_path):
    write(tmp_path / "two", n=2)
    with pytest.raises(InputError, match="two: no spectrum but the one searched by has an embedding to compare"):
        search_set(network(), tmp_path / "two", BIG + 1)
    write(tmp_path / "one", n=1)
    with pytest.raises(InputError, match="none of its 1 spectra has a flux"):
        search_set(network(), tmp_path / "one", sets / "other")
    write(tmp_path / "few", n=4)
    nothing = outside(lambda flux: np.full((len(flux), 3), np.nan if len(flux) < 8 else 1))
    # `embed` would refuse them; sets of older versions can have them.
    add_input(tmp_path / "few", nothing.name, np.full((4, 3), np.nan, np.float32), {"encoder": note_of(nothing)})
    out = tmp_path / "near.csv"
    with pytest.raises(InputError, match="few: none of its 4 spectra has an embedding to search by"):
        search_set(nothing, sets / "other", tmp_path / "few", 2, out)
    with pytest.raises(InputError, match="few: no spectrum has an embedding to compare"):
        search_set(nothing, tmp_path / "few", sets / "other", 2, out)
    assert not out.exists()


def test_sets_with_different_values_per_star(sets, tmp_path):
    write(tmp_path / "few", n=4)
    width = outside(lambda flux: flux[:, : 3 if len(flux) < 5 else 4])
    with pytest.raises(InputError, match="the queries have 3 values each, the vectors searched 4"):
        search_set(width, sets / "other", tmp_path / "few")


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """An alignment, and sets of LRS and XP spectra of the same stars, of which one has no XP spectrum."""
    folder = tmp_path_factory.mktemp("aligned")
    save_alignment(tiny_alignment("split"), folder / "model", "float32")
    for name, flux, prepared in zip(("lrs", "xp"), star_spectra(8), (Preprocessing(), XP), strict=True):
        flux = flux.copy()
        if name == "xp":
            flux[2] = np.nan
        write_flux(folder / name, flux, prepared, name)
    return folder


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("ask", ["lrs", "xp"])
def test_spectra_of_one_kind_find_those_of_the_other(aligned, tmp_path, ask, stored):
    alignment = load_alignment(aligned / "model")
    other = "xp" if ask == "lrs" else "lrs"
    for name in (ask, other):
        if stored:
            embed_set(aligned / name, aligned / "model", tmp_path / name)
    folder = tmp_path if stored else aligned
    shared = {name: alignment.shared(read_set(aligned / name).flux, name) for name in (ask, other)}
    assert shared["lrs"].shape == shared["xp"].shape == (8, 8)
    given = [n for n in range(8) if np.isfinite(shared[ask][n]).all()]
    scores, rows = plain(shared[ask][given], shared[other], 4)
    result = search_set(aligned / "model", folder / other, folder / ask, k=4)
    assert result.columns["query_id"].tolist() == np.repeat(given, 4).tolist()
    np.testing.assert_allclose(result.columns["cosine"], scores.ravel(), atol=1e-5)
    assert (result.columns["set_row"] == rows.ravel()).mean() > 0.9
    assert result.metadata["search"]["encoder"]["name"] == alignment.side(other).name
    assert result.metadata["search"]["query_encoder"]["name"] == alignment.side(ask).name
    # Within one kind the same model serves, and there a spectrum is none of its own neighbours.
    within = search_set(aligned / "model", folder / ask, folder / ask, k=1).columns
    assert (within["query_id"] != within["id"]).all()


def test_xp_spectra_without_bp_are_near_nothing(aligned, tmp_path, caplog):
    folder = xp_set(tmp_path)
    result = search_set(aligned / "model", folder, folder, k=7)
    assert result.n_searched == 6
    assert {2, 5}.isdisjoint(result.columns["set_row"])
    assert {2**61 + 2, 2**61 + 5}.isdisjoint(result.columns["query_id"])
    assert f"{folder}: 2 of 8 spectra are near nothing, for want of an embedding (2 not finite)" in caplog.text
    assert f"{folder}: 2 of 8 spectra have no embedding to search by" in caplog.text
    for query in (f"{folder}:2", f"{tmp_path / 'XP_SAMPLED_RAW.csv'}:2", 2**61 + 2):
        with pytest.raises(InputError, match="has no embedding to search by; its flags: LOW_GOOD_FRACTION"):
            search_set(aligned / "model", folder, query, survey="gaia-xp" if "csv" in str(query) else None)


def test_an_encoder_of_one_kind_takes_no_spectra_of_the_other(aligned):
    with pytest.raises(MismatchError, match=r"the encoder 'embed-split' and .*xp were preprocessed differently"):
        search_set(aligned / "model/lrs", aligned / "lrs", aligned / "xp")
