import os
import weakref

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.spectra import SpectrumBatch, concatenate
from transtar.surveys import Survey, find_files, get_survey, stream
from transtar.surveys.generic import write_npz
from transtar.surveys.stream import is_named

from .fits_files import GRID, write_lamost_image, write_lamost_table, write_miles

LAMOST = get_survey("lamost")


def test_find_files(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.fits", "a.fits.gz", "deep/c.fits", "labels.csv", ".hidden.fits"):
        (tmp_path / name).touch()
    names = [path.name for path in find_files(LAMOST, tmp_path)]
    assert names == ["a.fits.gz", "b.fits", "c.fits"]
    twice = find_files(
        LAMOST, [tmp_path / "deep" / "c.fits", str(tmp_path), f"{tmp_path}/*.fits", f"{tmp_path}/deep/../b.fits"]
    )
    assert [path.name for path in twice] == ["c.fits", "a.fits.gz", "b.fits"]
    assert [path.name for path in find_files(LAMOST, f"{tmp_path}/**/c.fits")] == ["c.fits"]


def test_links_and_hidden_folders(tmp_path):
    """A folder is visited once, a file comes once, by its first name that is not a link."""
    (tmp_path / "a" / ".cache").mkdir(parents=True)
    for name in ("a/one.fits", "a/.cache/old.fits", "two.fits"):
        (tmp_path / name).touch()
    (tmp_path / "a" / "latest").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "zz.fits").symlink_to("one.fits")
    (tmp_path / "a" / "gone.fits").symlink_to("nowhere.fits")
    names = [path.name for path in find_files(LAMOST, tmp_path)]
    assert names == ["gone.fits", "one.fits", "two.fits"]
    # A folder that is asked for by name is read, hidden or not.
    assert [path.name for path in find_files(LAMOST, tmp_path / "a" / ".cache")] == ["old.fits"]


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch, caplog):
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.fits").touch()
    listed = os.scandir

    def scandir(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [path.name for path in find_files(LAMOST, tmp_path)] == ["a.fits"]
    assert "locked: passed over, for it cannot be read (Permission denied)" in caplog.text


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a.fits", True), ("A.FITS", True), ("a.fit", True), ("a.fts.gz", True), ("a.Fits.BZ2", True), ("a.fits.xz", True),
        ("a.fits.fz", True), ("a.fits.zip", False), ("a.fits.txt", False), ("fits", False), ("a.fitsx", False),
    ],
)  # fmt: skip
def test_names(name, good):
    assert is_named(LAMOST, name) == good


def test_find_nothing(tmp_path):
    for paths, message in (
        (tmp_path / "no", "no such file"),
        (tmp_path, r"no files named \*\.fits"),
        (f"{tmp_path}/*.fits", "no file matches"),
        ([], "no spectra given"),
    ):
        with pytest.raises(InputError, match=message):
            find_files(LAMOST, paths)


def test_batches_keep_order_and_split_where_wavelengths_change(tmp_path):
    for i in range(5):
        write_lamost_table(tmp_path / f"{i}.fits", GRID if i != 3 else np.linspace(4000, 5000, 100), OBSID=i)
    write_lamost_image(tmp_path / "5.fits", GRID[100:3000], OBSID=5)
    batches = list(stream(LAMOST, tmp_path, batch_size=2))
    assert [batch.ids.tolist() for batch in batches] == [[0, 1], [2], [3], [4, 5]]
    assert batches[-1].flux.shape == (2, 3909)
    assert batches[0].meta["file"].tolist() == ["0.fits", "1.fits"]
    # A batch that was yielded is never written to again.
    assert not np.shares_memory(batches[0].flux, batches[1].flux)


def test_a_bad_file_is_an_error_or_reported(tmp_path):
    for i in range(3):
        write_lamost_table(tmp_path / f"{i}.fits", OBSID=i)
    bad = tmp_path / "1.fits"
    bad.write_bytes(bad.read_bytes()[:20_000])
    with pytest.raises(InputError, match=r"1\.fits: truncated"):
        list(stream(LAMOST, tmp_path))
    reported = []
    batches = list(stream(LAMOST, tmp_path, on_error=lambda path, message: reported.append((path, message))))
    assert concatenate(batches).ids.tolist() == [0, 2]
    assert [path for path, _ in reported] == [bad]
    assert "truncated" in reported[0][1]


@pytest.mark.parametrize("error", [OSError("disk\non fire"), IndexError("1"), KeyError("FLUX"), ValueError("x")])
def test_whatever_a_reader_raises_becomes_one_line(tmp_path, error):
    def read_file(path):
        raise error

    (tmp_path / "a.xyz").touch()
    with pytest.raises(InputError, match=r"a\.xyz: cannot be read as a odd spectrum") as caught:
        list(stream(Survey("odd", "", read_file, ("*.xyz",)), tmp_path))
    assert "\n" not in str(caught.value)


def test_interrupt_is_not_caught(tmp_path):
    def read_file(path):
        raise KeyboardInterrupt

    (tmp_path / "a.xyz").touch()
    with pytest.raises(KeyboardInterrupt):
        list(stream(Survey("odd", "", read_file, ("*.xyz",)), tmp_path, on_error=print))


def test_reader_of_something_else(tmp_path):
    (tmp_path / "a.xyz").touch()
    with pytest.raises(InputError, match="gave a dict"):
        list(stream(Survey("odd", "", lambda path: {}, ("*.xyz",)), tmp_path))


def test_tables_of_many_spectra_are_split_and_packed(tmp_path):
    wave = np.linspace(4000, 5000, 50)
    for name, ids in (("a", range(7)), ("b", range(7, 10))):
        n = len(ids)
        batch = SpectrumBatch(
            wave, np.ones((n, 50), np.float32), None, np.zeros((n, 50), bool), np.array(ids, dtype=np.int64), "generic",
            meta={"file": np.full(n, name), "velocity": np.zeros(n), name: np.arange(float(n))},
        )  # fmt: skip
        write_npz(tmp_path / f"{name}.npz", batch)
    batches = list(stream(get_survey("generic"), tmp_path, batch_size=4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    joined = concatenate(batches)
    assert joined.ids.tolist() == list(range(10))
    assert np.isnan(joined.meta["a"][7:]).all()
    assert joined.meta["b"][7:].tolist() == [0, 1, 2]


def test_files_are_not_kept_as_objects(tmp_path):
    seen = []
    most = 0

    def read_file(path):
        nonlocal most
        most = max(most, sum(reference() is not None for reference in seen))
        flux = np.zeros((1, 2), dtype=np.float32)
        seen.append(weakref.ref(flux))
        return SpectrumBatch(np.array([4000.0, 5000.0]), flux, None, flux > 0, np.zeros(1, dtype=np.int64), "many")

    for i in range(50):
        (tmp_path / f"{i}.xyz").touch()
    (batch,) = stream(Survey("many", "", read_file, ("*.xyz",)), tmp_path)
    assert len(batch) == 50
    assert most <= 2


def test_real_lamost_streams(data):
    files = sorted((data / "lamost_dr10/spectra").iterdir())[::30]
    (batch,) = stream(get_survey("lamost"), files)
    assert len(batch) == 31
    np.testing.assert_array_equal(batch.wave, GRID)
    assert np.isfinite(batch.meta["velocity"]).all()
    assert batch.mask.mean() < 0.02


def test_real_miles_streams(data):
    batches = list(stream(get_survey("miles"), data / "miles/spectra", batch_size=400))
    assert [len(batch) for batch in batches] == [400, 400, 185]


def test_wrong_survey_for_a_whole_folder(tmp_path):
    write_miles(tmp_path / "m0001V.fits")
    with pytest.raises(InputError, match="is --survey right"):
        list(stream(LAMOST, tmp_path))
