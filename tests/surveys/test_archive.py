import shutil

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.surveys import find_star_files, get_survey
from transtar.surveys.desi import coadd_names

from .fits_files import GRID, write_lamost_table

DESI, LAMOST = get_survey("desi"), get_survey("lamost")
PIXELS = (7, 123, 9850, 27343)
STARS = {
    "id": np.arange(6),
    "SURVEY": np.array(["main"] * 5 + [""]),
    "PROGRAM": np.array(["dark"] * 6),
    "HEALPIX": np.array([9850, 123, 9850, 27343, 7, 5]),
}


@pytest.fixture
def archive(tmp_path):
    """A release with the four pixels of the list, one of them gzipped, and one that nobody wants."""
    for pixel in (*PIXELS, 8):
        suffix = ".fits.gz" if pixel == 123 else ".fits"
        path = tmp_path / f"iron/healpix/main/dark/{pixel // 100}/{pixel}/coadd-main-dark-{pixel}{suffix}"
        path.parent.mkdir(parents=True)
        path.touch()
    return tmp_path / "iron"


def pixels(files):
    return sorted(int(path.name.split(".")[0].split("-")[-1]) for path in files)


def test_names_are_those_of_the_data_model():
    """https://desidatamodel.readthedocs.io: healpix/SURVEY/PROGRAM/PIXGROUP/PIXNUM/coadd-SURVEY-PROGRAM-PIXNUM.fits"""
    names = coadd_names(STARS)
    assert names[0] == "main/dark/98/9850/coadd-main-dark-9850.fits"
    assert names[4] == "main/dark/0/7/coadd-main-dark-7.fits"
    assert names[5] == ""
    assert coadd_names({"id": STARS["id"]}) is None


@pytest.mark.parametrize("below", ["", "healpix", "healpix/main", "healpix/main/dark"])
def test_any_folder_of_the_archive_may_be_named(archive, below):
    assert pixels(find_star_files(DESI, archive / below, STARS)) == list(PIXELS)


def test_a_flat_folder_and_files_do_as_well(archive, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in archive.rglob("coadd-*"):
        shutil.copy(path, flat)
    assert pixels(find_star_files(DESI, flat, STARS)) == list(PIXELS)
    assert pixels(find_star_files(DESI, [*flat.iterdir()], STARS)) == list(PIXELS)
    assert pixels(find_star_files(DESI, [archive / "healpix", *flat.iterdir()], STARS)) == list(PIXELS)


def test_a_pixel_that_is_listed_and_absent(archive):
    shutil.rmtree(archive / "healpix/main/dark/98")
    told = []
    files = find_star_files(DESI, archive / "healpix", STARS, lambda path, message: told.append((str(path), message)))
    assert pixels(files) == [7, 123, 27343]
    ((name, message),) = told
    assert name == "main/dark/98/9850/coadd-main-dark-9850.fits"
    assert message == f"{name}: not found in {archive / 'healpix'}, and 2 of the stars wanted are in it; fetch it"


def test_no_pixel_of_the_list_is_there(tmp_path, archive):
    other = STARS | {"PROGRAM": np.full(6, "bright")}
    with pytest.raises(
        InputError, match=r"none of the 4 files that hold the stars wanted is here; the first: main/bright"
    ):
        find_star_files(DESI, archive / "healpix", other, lambda *_: pytest.fail("told of each file, too"))
    with pytest.raises(InputError, match="no such file or folder"):
        find_star_files(DESI, tmp_path / "no", STARS)


def test_without_pixels_every_file_may_hold_them(archive):
    assert pixels(find_star_files(DESI, archive, {"id": STARS["id"]})) == [7, 8, 123, 9850, 27343]


def test_lamost_files_by_name(tmp_path):
    for name in ("deep/spec-1-A_sp01-001.fits", "deep/spec-1-A_sp01-002.fits", "spec-2-B_sp01-001.fits"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_lamost_table(tmp_path / name, GRID)
    listed = {"file": np.array(["spec-1-A_sp01-002.fits.gz", "spec-2-B_sp01-001.fits", ""])}
    found = find_star_files(LAMOST, tmp_path / "deep", listed)
    assert [path.name for path in found] == ["spec-1-A_sp01-002.fits"]
    found = find_star_files(LAMOST, tmp_path, listed)
    assert "spec-2-B_sp01-001.fits" in [path.name for path in found]
