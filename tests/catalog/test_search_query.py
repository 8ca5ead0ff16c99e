import csv
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transtar.catalog.search_query import Native, Query, open_queries, read_query
from transtar.datasets import embed_set, open_flow, prepare, read_set
from transtar.datasets.defaults import default_settings
from transtar.datasets.set_vectors import SetVectors
from transtar.datasets.sides import Sides
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.preprocess import Preprocessing
from transtar.surveys import Stated
from transtar.surveys.gaia_xp import SAMPLING_NM

from ..datasets.test_embed import network, outside
from ..datasets.test_prepared import BIG, write
from ..encoders.aligned import tiny_alignment
from ..made_surveys import FIRST_ID, made_lamost

N = 12


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Native files, a set of them, and another set of spectra without flux in row 0."""
    folder = tmp_path_factory.mktemp("world")
    files = made_lamost(folder / "lamost", n=N) / "spectra"
    prepare("lamost", files, folder / "set", labels=folder / "lamost/labels.csv")
    write(folder / "other", n=9)
    return SimpleNamespace(files=files, set=folder / "set", other=folder / "other")


def ask(world, query, model=None, data=None, native=None):
    """Where, rows and vectors of a query, and the row in the set that is searched."""
    sides = Sides(model or network())
    with (
        SetVectors(data or world.set, sides) as vectors,
        open_queries(read_query(query), vectors, sides, native or Native()) as queries,
    ):
        columns = queries.columns(0, queries.n)
        assert len(columns["file"]) == len(columns["id"]) == queries.n
        return SimpleNamespace(
            where=queries.where, first=queries.first, columns=columns, values=queries.values(0, queries.n)
        )


def test_what_a_query_can_be(world, tmp_path, monkeypatch):
    file = world.files / "spec-001.fits"
    assert read_query(17) == read_query("17") == Query(id=17)
    assert read_query(np.int64(17)) == Query(id=17)
    assert read_query(f"-{2**63}") == Query(id=-(2**63))
    assert read_query(world.set) == read_query(str(world.set)) == Query(world.set)
    assert read_query(f"{world.set}:3") == Query(world.set, 3)
    assert read_query(f"{file}:0") == Query(file, 0)
    assert Query(world.set).is_set
    assert not Query(file).is_set
    monkeypatch.chdir(tmp_path)
    (tmp_path / "17").touch()
    (tmp_path / "a:1").touch()
    assert str(read_query("./17").path) == "17"
    assert read_query("a:1").row is None
    assert read_query("a:1:2") == Query(read_query("a:1").path, 2)
    with pytest.raises(
        InputError, match=r"query 17: is the name of a file or folder, and may be an identifier; write \./17"
    ):
        read_query("17")


@pytest.mark.parametrize("query", ["", "nowhere", "nowhere:3", "1.5", "1e5", ":3", "x" * 5000, "a\0b", None, True, 1.5])
def test_what_it_cannot_be(query):
    with pytest.raises(InputError, match="is no prepared set, no file and no identifier") as raised:
        read_query(query)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("query", ["-1", -1, str(2**63), -(2**63) - 1, "9" * 30])
def test_identifiers_that_none_has(query):
    with pytest.raises(InputError, match="is the identifier of no spectrum"):
        read_query(query)


@given(st.text(max_size=12))
@settings(deadline=None, max_examples=30)
def test_any_text_is_understood_or_refused_in_one_line(text):
    told = ""
    try:
        read_query(text)
    except InputError as error:
        told = str(error)
    assert "\n" not in told


def test_a_row_is_a_number_and_a_folder_a_set(world):
    for row in ("x", "-1", "1.0", "", "9" * 13):
        with pytest.raises(InputError, match="a row is a whole number from 0"):
            read_query(f"{world.set}:{row}")
    with pytest.raises(InputError, match=r"spectra: is no prepared set \(no set\.json\)"):
        read_query(world.files)


def test_an_identifier_is_of_the_set_that_is_searched(world):
    queries = ask(world, FIRST_ID + 4)
    assert queries.first == 4
    assert queries.columns["id"].tolist() == [FIRST_ID + 4]
    assert queries.columns["file"].tolist() == ["spec-004.fits"]
    np.testing.assert_array_equal(queries.values, network().encode(read_set(world.set).flux)[4:5])
    with pytest.raises(InputError, match=f"set: has no spectrum of the identifier {FIRST_ID + N}"):
        ask(world, FIRST_ID + N)


def test_an_identifier_that_comes_twice(world, tmp_path):
    write(tmp_path / "twice", n=9, id=np.array([5, 6, 7, 6, 6, 6, 8, 9, 2**62]))
    with pytest.raises(InputError) as raised:
        ask(world, 6, data=tmp_path / "twice")
    twice = tmp_path / "twice"
    expected = (
        f"has 4 spectra of the identifier 6; say which one by its row: {twice}:1, {twice}:3, {twice}:4 and 1 more"
    )
    assert expected in str(raised.value)
    assert ask(world, f"{twice}:3", data=twice).first == 3


def test_rows_of_the_set_that_is_searched_and_of_another(world, tmp_path):
    assert ask(world, world.set).first == 0
    assert ask(world, f"{world.set}:5").first == 5
    # A copy with further inputs is of the same spectra.
    embed_set(world.set, network(), tmp_path / "copy")
    assert ask(world, f"{tmp_path / 'copy'}:5").first == 5
    one, every = ask(world, f"{world.other}:5"), ask(world, world.other)
    assert one.first is every.first is None
    np.testing.assert_allclose(one.values, every.values[5:6], rtol=1e-5, atol=1e-6)
    assert one.columns["id"].tolist() == [BIG + 5]
    assert every.columns["id"].tolist() == (BIG + np.arange(9)).tolist()
    for folder, n in ((world.set, N), (world.other, 9)):
        with pytest.raises(InputError, match=f"has no row {n}; its spectra are counted from 0 to {n - 1}"):
            ask(world, f"{folder}:{n}")


def test_a_spectrum_without_flux_is_no_query(world):
    with pytest.raises(InputError, match="other:0: has no embedding to search by; its flags: CONTINUUM_FAILED"):
        ask(world, f"{world.other}:0")
    with pytest.raises(InputError, match=f"identifier {BIG}: has no embedding to search by"):
        ask(world, BIG, data=world.other)
    with pytest.raises(InputError, match="set:2: has no embedding to search by; its flags: none"):
        ask(world, f"{world.set}:2", model=outside(lambda flux: 0 * flux[:, :3]))


def test_a_file_is_prepared_as_the_encoder_takes_it(world):
    file = world.files / "spec-003.fits"
    queries = ask(world, file, native=Native("lamost"))
    assert queries.first is None
    assert queries.columns["id"].tolist() == [FIRST_ID + 3]
    assert queries.columns["star"].tolist() == ["J000003"]
    kept = ask(world, FIRST_ID + 3)
    np.testing.assert_allclose(queries.values, kept.values, rtol=1e-4, atol=1e-5)
    same = ask(world, f"{file}:0", native=Native("lamost"))
    np.testing.assert_array_equal(same.values, queries.values)


def test_an_encoder_that_takes_any_gets_the_preparation_of_the_set(world):
    file = world.files / "spec-003.fits"
    queries = ask(world, file, model=outside(), native=Native("lamost"))
    np.testing.assert_allclose(queries.values, read_set(world.set).flux[3:4, :3], rtol=1e-5)


def test_an_encoder_of_native_spectra_gets_those(world, tmp_path):
    def encode(flux, ivar, wave):
        assert flux.shape == (1, len(wave)) or len(flux) == N
        return flux[:, 1000:1004]

    native = outside(encode, native=True)
    prepare("lamost", world.files, tmp_path / "set", inputs=[native])
    queries = ask(world, world.files / "spec-003.fits", model=native, data=tmp_path / "set", native=Native("lamost"))
    np.testing.assert_array_equal(queries.values, read_set(tmp_path / "set").inputs["outer"][3:4])


def test_files_that_cannot_be_searched_by(world, tmp_path):
    file = world.files / "spec-003.fits"
    with pytest.raises(SettingsError, match=r"spec-003\.fits: a file is searched by with the survey that it is of"):
        ask(world, file)
    with pytest.raises(InputError, match=r"has no row 1; its spectra are counted from 0 to 0"):
        ask(world, f"{file}:1", native=Native("lamost"))
    (tmp_path / "bad.fits").write_text("no")
    with pytest.raises(InputError, match=r"bad\.fits: has no spectrum to search by \(.*not a FITS file"):
        ask(world, tmp_path / "bad.fits", native=Native("lamost"))
    with pytest.raises(SettingsError, match="known surveys"):
        ask(world, file, native=Native("sdss"))


@pytest.mark.parametrize(
    "native",
    [Native("lamost"), Native(how={"velocities": "measure"}), Native(how={"stated": Stated(medium="air")})],
)
def test_what_is_said_of_files_is_of_no_use_for_sets(world, native):
    for query in (world.set, f"{world.set}:1", FIRST_ID):
        with pytest.raises(
            SettingsError, match=r"(survey|velocities|medium): is for files of spectra, and the query is a"
        ):
            ask(world, query, native=native)


def test_a_flag_that_speaks_against_the_spectrum_is_told(tmp_path, world, caplog):
    made_lamost(tmp_path / "lamost", n=1, Z=-9999)
    ask(world, tmp_path / "lamost/spectra/spec-000.fits", native=Native("lamost"))
    assert "no spectrum has a velocity, which the rest frame needs" in caplog.text
    assert "the spectrum searched by has the flags NO_VELOCITY" in caplog.text


@pytest.fixture(scope="module")
def xp(tmp_path_factory):
    """A file of four Gaia XP spectra, of which one is without its arrays."""
    path = tmp_path_factory.mktemp("xp") / "XpSampledMeanSpectrum_000000-003111.csv"
    x = 1.4388e7 / (SAMPLING_NM * np.linspace(4000, 7000, 4)[:, None])
    flux = 1e-16 * (SAMPLING_NM / 600) ** -5 / np.expm1(x)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source_id", "flux", "flux_error"])
        for number, row in enumerate(flux):
            texts = ["[" + ",".join(f"{v:.6e}" for v in (row if number != 1 else row[:5])) + "]"] * 2
            writer.writerow([2**61 + number, *texts])
    return path


def test_a_file_of_several_needs_a_row(world, xp, tmp_path, caplog):
    encoder = outside(lambda flux: flux[:, ::50], preprocessing=default_settings("gaia-xp"))
    prepare("gaia-xp", xp, tmp_path / "set")
    asked = {"model": encoder, "data": tmp_path / "set", "native": Native("gaia-xp")}
    with pytest.raises(InputError, match=r"csv: has 3 spectra; say which one, counted from 0: .*csv:0"):
        ask(world, xp, **asked)
    every = ask(world, tmp_path / "set", encoder, tmp_path / "set")
    for row, number in enumerate((0, 2, 3)):
        queries = ask(world, f"{xp}:{row}", **asked)
        assert queries.columns["id"].tolist() == [2**61 + number]
        np.testing.assert_allclose(queries.values, every.values[row : row + 1], rtol=1e-5)
    assert "rows of the file that are no spectra of targets are not counted: 1 with broken arrays" in caplog.text
    with pytest.raises(InputError, match="has no row 3; its spectra are counted from 0 to 2"):
        ask(world, f"{xp}:3", **asked)


def test_by_an_alignment_a_file_goes_through_the_side_of_its_own_grid(world, xp):
    alignment = tiny_alignment("split")
    queries = ask(world, f"{xp}:1", model=alignment, native=Native("gaia-xp"))
    assert queries.values.shape == (1, alignment.settings.width)
    batch, spectra = next(open_flow("gaia-xp", [xp], alignment.xp.preprocessing).batches())
    assert queries.columns["id"].tolist() == batch.ids[1:2].tolist()
    np.testing.assert_allclose(queries.values, alignment.shared(spectra.flux[1:2], "xp"), rtol=1e-4, atol=1e-5)


def test_spectra_that_the_encoder_does_not_take(world, xp, tmp_path):
    with pytest.raises(SettingsError, match="gaia-xp: its spectra are too coarse for the grid 'blue'"):
        ask(world, f"{xp}:0", native=Native("gaia-xp"))
    write(tmp_path / "observed", n=4, preprocessing=Preprocessing(frame="observed"))
    for query in (tmp_path / "observed", f"{tmp_path / 'observed'}:1"):
        with pytest.raises(MismatchError, match="observed were preprocessed differently"):
            ask(world, query)
