import numpy as np
import pytest

from transtar.datasets import prepare, read_set
from transtar.errors import InputError, SettingsError
from transtar.flags import Flag
from transtar.grids import SPEED_OF_LIGHT
from transtar.preprocess import Preprocessing, preprocess
from transtar.surveys import get_survey, read, stream

from ..made_surveys import FIRST_ID, made_lamost, made_miles, write_csv
from ..surveys.fits_files import GRID, write_lamost_table, write_miles

LAMOST, MILES = get_survey("lamost"), get_survey("miles")


@pytest.fixture(scope="module")
def lamost(tmp_path_factory):
    return made_lamost(tmp_path_factory.mktemp("lamost"), n=8)


def test_the_whole_chain(tmp_path, lamost):
    report = prepare(LAMOST, lamost / "spectra", tmp_path / "set", labels=lamost / "labels.csv", batch_size=3)
    prepared = read_set(tmp_path / "set")
    assert (report.n_spectra, report.skipped, report.labels) == (8, [], {"teff": 8, "feh": 8})
    assert report.lines == ["labels: 8 spectra have labels (joined by file), 0 have none; 0 rows of labels are unused"]
    assert prepared.columns["id"].tolist() == [FIRST_ID + i for i in range(8)]
    assert prepared.columns["file"].tolist() == [f"spec-{i:03d}.fits" for i in range(8)]
    assert set(prepared.columns["split"]) == {"pool"}
    assert prepared.labels == ("teff", "feh")
    assert prepared.provenance["survey"] == "lamost"
    (batch,) = stream(LAMOST, lamost / "spectra")
    np.testing.assert_allclose(prepared.flux, preprocess(batch, sky_lines=LAMOST.sky_lines).flux, atol=1e-5)
    np.testing.assert_array_equal(prepared.columns["velocity"], batch.meta["velocity"])


def test_settings_are_kept(tmp_path, lamost):
    settings = Preprocessing(frame="observed", resolution=1000)
    prepare(LAMOST, lamost / "spectra", tmp_path / "set", settings)
    assert read_set(tmp_path / "set").preprocessing == settings


def test_bad_files_do_not_end_the_run(tmp_path, lamost):
    folder = tmp_path / "spectra"
    folder.mkdir()
    good = sorted((lamost / "spectra").iterdir())[:3]
    for path in good:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "a-empty.fits").touch()
    (folder / "b-html.fits").write_text("<html>404</html>")
    (folder / "c-cut.fits").write_bytes(good[0].read_bytes()[:30_000])
    write_miles(folder / "d-miles.fits")
    write_lamost_table(folder / "e-unsorted.fits", GRID[::-1])
    write_lamost_table(folder / "f-nm.fits", GRID / 10)
    write_lamost_table(folder / "g-red.fits", np.linspace(6000, 9000, 3000))
    (folder / "z-folder.fits").mkdir()
    told = []
    report = prepare(LAMOST, [folder], tmp_path / "set", on_skip=lambda file, why: told.append((file, why)))
    assert told == report.skipped
    assert report.n_spectra == 3
    expected = {
        "a-empty": "empty file", "b-html": "not a FITS file", "c-cut": "truncated", "d-miles": "is --survey right?",
        "e-unsorted": "not strictly increasing", "f-nm": "not Angstrom", "g-red": "fewer than 100 pixels",
    }  # fmt: skip
    found = {file.rsplit("/", 1)[-1].removesuffix(".fits"): why for file, why in told}
    assert found.keys() == expected.keys()
    for name, why in expected.items():
        assert why in found[name]
        assert "\n" not in found[name]
        assert name in found[name]


def test_few_native_pixels_are_a_flagged_row(tmp_path):
    """Of 30 native LAMOST pixels the reader makes a spectrum that is masked elsewhere."""
    write_lamost_table(tmp_path / "short.fits", GRID[400:430])
    prepare(LAMOST, tmp_path / "short.fits", tmp_path / "set")
    assert Flag(int(read_set(tmp_path / "set").columns["flags"][0])) & Flag.LOW_GOOD_FRACTION


def test_spectra_that_carry_nothing_are_flagged_rows(tmp_path):
    nothing = {"nan": np.full(3909, np.nan), "zero": np.zeros(3909), "negative": np.full(3909, -5.0)}
    for name, flux in nothing.items():
        write_lamost_table(tmp_path / f"{name}.fits", flux=flux)
    report = prepare(LAMOST, tmp_path, tmp_path / "set")
    prepared = read_set(tmp_path / "set")
    assert report.n_spectra == 3
    assert report.flags["CONTINUUM_FAILED"] == 3
    assert np.isnan(prepared.flux).all()


def test_nothing_usable(tmp_path):
    (tmp_path / "a.fits").write_text("no")
    with pytest.raises(InputError, match=r"none of the 1 files could be used; the first: .*a\.fits: not a FITS file"):
        prepare(LAMOST, tmp_path, tmp_path / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]


def test_labels_by_id_with_gaps_and_repeats(tmp_path, lamost):
    rows = [
        {"obsid": FIRST_ID + 1, "feh": -1.0},
        {"obsid": FIRST_ID + 1, "feh": -1.0},
        {"obsid": FIRST_ID + 2, "feh": ""},
        {"obsid": 77, "feh": 0.1},
    ]
    write_csv(tmp_path / "labels.csv", rows)
    report = prepare(LAMOST, lamost / "spectra", tmp_path / "set", labels=tmp_path / "labels.csv")
    assert report.lines == ["labels: 2 spectra have labels (joined by id), 6 have none; 1 rows of labels are unused"]
    assert report.labels == {"feh": 1}
    feh = read_set(tmp_path / "set").columns["feh"]
    np.testing.assert_array_equal(feh, [np.nan, -1.0, *[np.nan] * 6])


def test_labels_by_position(tmp_path, lamost):
    """Two spectra of one star share its labels; a fast star is found where it was in 2000."""
    (tmp_path / "spectra").mkdir()
    for i, path in enumerate(sorted((lamost / "spectra").iterdir())):
        write_lamost_table(tmp_path / "spectra" / path.name, RA=10.0 + max(i, 1) / 10, DEC=60.0)
    rows = [
        {"RAJ2000": 10.1, "DEJ2000": 60.0, "feh": -1.0, "pmRA": "", "pmDE": "", "ref_epoch": 2000},
        {"RAJ2000": 10.2, "DEJ2000": 60 + 16 * 9 / 3600, "feh": -2.0, "pmRA": 0, "pmDE": 9000, "ref_epoch": 2016},
        {"RAJ2000": 10.3, "DEJ2000": 60.001, "feh": -3.0, "pmRA": 0, "pmDE": 0, "ref_epoch": 2016},
    ]
    write_csv(tmp_path / "labels.csv", rows)
    use = {"labels": tmp_path / "labels.csv", "match_radius": 2.0}
    report = prepare(LAMOST, tmp_path / "spectra", tmp_path / "set", **use)
    np.testing.assert_array_equal(read_set(tmp_path / "set").columns["feh"], [-1, -1, -2, *[np.nan] * 5])
    (line,) = report.lines
    assert line.startswith("labels: spectra and labels.csv by position within 2 arcsec at epoch 2000: 3 rows matched")
    assert "of spectra 5 have none near" in line
    write_csv(tmp_path / "labels.csv", rows[2:])
    with pytest.raises(InputError, match=r"no spectrum has a row of labels\.csv within 0\.1 arcsec"):
        prepare(LAMOST, tmp_path / "spectra", tmp_path / "no", **use | {"match_radius": 0.1})
    with pytest.raises(SettingsError, match="radius must be above 0"):
        prepare(LAMOST, tmp_path / "spectra", tmp_path / "no", **use | {"match_radius": -1})
    with pytest.raises(SettingsError, match="there are no labels to match"):
        prepare(LAMOST, tmp_path / "spectra", tmp_path / "no", match_radius=1)
    write_csv(tmp_path / "labels.csv", [{"star": "a", "feh": -1.0}])
    with pytest.raises(
        InputError, match=r"labels\.csv: no columns ra and dec to match by position; columns found: star, feh"
    ):
        prepare(LAMOST, tmp_path / "spectra", tmp_path / "no", **use)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"obsid": 5, "feh": 1}], "no spectrum matches any row of the table by id"),
        ([{"file": "x.fits", "feh": 1}], "no spectrum matches any row of the table by file .*spec-000.fits.*x.fits"),
        ([{"file": "spec-000.fits", "colour": 1}], "no label column"),
        ([{"feh": 1}], "no column tells which spectrum a row is for"),
        (
            [{"obsid": FIRST_ID, "feh": -1}, {"obsid": FIRST_ID, "feh": 0}],
            f"1 id values repeat in the table with different feh, first {FIRST_ID}",
        ),
        ([{"obsid": "4.611686018427388e18", "feh": 1}], "integer|floating point"),
    ],
)
def test_unusable_labels(tmp_path, lamost, rows, message):
    write_csv(tmp_path / "labels.csv", rows)
    with pytest.raises(InputError, match=message) as caught:
        prepare(LAMOST, lamost / "spectra", tmp_path / "set", labels=tmp_path / "labels.csv")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["labels.csv"]


def test_missing_tables(tmp_path, lamost):
    for name in ("labels", "split", "velocities"):
        with pytest.raises(InputError, match=r"no\.csv"):
            prepare(LAMOST, lamost / "spectra", tmp_path / "set", **{name: tmp_path / "no.csv"})
    assert not list(tmp_path.iterdir())


def test_split(tmp_path):
    miles = made_miles(tmp_path / "miles", n=6)
    rows = [{"file": f"MILES_res2.50_star_m{i:04d}V.fits", "split": s} for i, s in ((1, "test"), (2, "pool"))]
    write_csv(tmp_path / "split.csv", rows)
    prepare(MILES, miles / "spectra", tmp_path / "set", split=tmp_path / "split.csv")
    prepared = read_set(tmp_path / "set")
    assert prepared.columns["split"].tolist() == ["test", "pool", *["none"] * 4]
    assert prepared.ivar is None
    assert (prepared.columns["flags"] == Flag.NO_IVAR).all()
    write_csv(tmp_path / "split.csv", [rows[0] | {"split": "train"}])
    with pytest.raises(InputError, match="split must be pool or test, found 'train'"):
        prepare(MILES, miles / "spectra", tmp_path / "set", split=tmp_path / "split.csv")


def test_velocities(tmp_path, lamost):
    write_csv(tmp_path / "v.csv", [{"obsid": FIRST_ID + i, "rv": 10 * i, "mine": -5 * i} for i in range(4)])
    prepare(LAMOST, lamost / "spectra", tmp_path / "set", velocities=f"{tmp_path / 'v.csv'}:mine")
    prepared = read_set(tmp_path / "set")
    np.testing.assert_array_equal(prepared.columns["velocity"], [0, -5, -10, -15, *[np.nan] * 4])
    no_velocity = (prepared.columns["flags"] & int(Flag.NO_VELOCITY)) != 0
    assert no_velocity.tolist() == [False] * 4 + [True] * 4
    own = read(LAMOST, lamost / "spectra/spec-003.fits")
    own.meta["velocity"][:] = -15.0
    np.testing.assert_allclose(prepared.flux[3:4], preprocess(own, sky_lines=LAMOST.sky_lines).flux, atol=1e-5)
    assert abs(read(LAMOST, lamost / "spectra/spec-003.fits").meta["velocity"][0]) < SPEED_OF_LIGHT * 5e-4


def test_non_stars_are_carried_with_their_class(tmp_path):
    made_lamost(tmp_path / "galaxies", n=2, CLASS="GALAXY")
    report = prepare(LAMOST, tmp_path / "galaxies/spectra", tmp_path / "set")
    assert report.flags["NON_STELLAR"] == 2
    assert read_set(tmp_path / "set").columns["class"].tolist() == ["GALAXY"] * 2


def test_progress(tmp_path, lamost):
    seen = []
    prepare(LAMOST, lamost / "spectra", tmp_path / "set", batch_size=3, progress=lambda *n: seen.append(n))
    assert seen == [(3, 8), (6, 8), (8, 8)]
