import gzip
import os
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.flags import Flag
from transtar.grids import SPEED_OF_LIGHT
from transtar.preprocess import preprocess
from transtar.surveys import find_files, get_survey, read, stream
from transtar.surveys.desi import RESTRICTED, read_desi, read_resolution

from .desi_files import FIRST, WAVES, arms, coadd_hdus, fibermap, table, write_coadd, write_redrock

DESI = get_survey("desi")
NAME = "coadd-main-bright-9850.fits"


def test_contents(tmp_path):
    path = write_coadd(tmp_path / NAME, 4)
    wave, flux, ivar, mask = arms(4)["B"]
    packed = tmp_path / "coadd-packed.fits"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for batch in (read_desi(path), read_desi(packed)):
        np.testing.assert_array_equal(batch.wave, wave)
        np.testing.assert_array_equal(batch.flux, flux)
        np.testing.assert_array_equal(batch.ivar, ivar)
        np.testing.assert_array_equal(batch.mask, mask != 0)
        assert (batch.flux.dtype, batch.ivar.dtype, batch.mask.dtype) == (np.float32, np.float32, bool)
        assert batch.ids.tolist() == [FIRST + i for i in range(4)]
        assert (batch.survey, batch.frame, batch.medium, batch.left_out) == ("desi", "observed", "vacuum", {})
        assert batch.keys == ("SURVEY", "PROGRAM", "HEALPIX")
        last = {name: column[-1] for name, column in batch.meta.items()}
        assert np.isnan(last.pop("velocity"))
        assert last.pop("file") in (path.name, packed.name)
        assert last == {
            "class": "", "subclass": "", "star": "Gaia DR2 7003", "snr_survey": 3.5, "ra": 20.0, "dec": 5.0,
            "survey_flags": 0, "SURVEY": "main", "PROGRAM": "bright", "HEALPIX": 9850,
        }  # fmt: skip


def test_unsigned_masks(tmp_path):
    """desispec has written masks as unsigned integers, which FITS stores with an offset; other scaling is refused."""
    plain = read_desi(write_coadd(tmp_path / "coadd-main-bright-1.fits", 3))
    path = write_coadd(tmp_path / NAME, 3)
    with fits.open(path) as hdus:
        mask = hdus["B_MASK"].data.astype(np.uint32)
        mask[0, 5] = 2**31 + 1
        place = hdus.index_of("B_MASK")
        hdus[place] = fits.ImageHDU(mask, name="B_MASK")
        hdus.writeto(path, overwrite=True)
    assert fits.getheader(path, "B_MASK")["BZERO"] == 2**31
    found = read_desi(path)
    assert found.mask[0, 5]
    found.mask[0, 5] = plain.mask[0, 5]
    np.testing.assert_array_equal(found.mask, plain.mask)


def test_what_is_no_target_is_left_out_and_counted(tmp_path):
    targets = fibermap(6, OBJTYPE=["TGT", "SKY", "BAD", "TGT", "SKY", "TGT"])
    targets["TARGETID"][[2, 3]] = -5000, -(2**61)
    path = write_coadd(tmp_path / NAME, 6, targets=targets)
    batch = read_desi(path)
    assert batch.ids.tolist() == [FIRST, FIRST + 5]
    np.testing.assert_array_equal(batch.flux, arms(6)["B"][1][[0, 5]])
    assert batch.meta["snr_survey"].tolist() == [0.5, 5.5]
    assert batch.left_out == {"negative TARGETID": 2, "OBJTYPE not TGT": 2}
    told = []
    (streamed,) = stream(DESI, path, on_left_out=lambda *what: told.append(what))
    assert told == [(path, batch.left_out)]
    assert streamed.left_out == {}


def test_nothing_but_sky(tmp_path):
    path = write_coadd(tmp_path / NAME, 2, targets=fibermap(2, OBJTYPE=["SKY", "SKY"]))
    assert len(read_desi(path)) == 0
    assert list(stream(DESI, path)) == []


def test_star_and_place(tmp_path):
    targets = fibermap(3, REF_CAT=["G3", "", "L3"])
    batch = read_desi(write_coadd(tmp_path / NAME, 3, targets=targets))
    assert batch.meta["star"].tolist() == ["Gaia DR3 7000", f"DESI {FIRST + 1}", f"DESI {FIRST + 2}"]
    nameless = {"SURVEY": None, "PROGRAM": None, "HPXPIXEL": None}
    for name, expected in (
        ("coadd-sv3-dark-11.fits", ("sv3", "dark", 11)),
        ("coadd-4-80613-thru20210324.fits", ("", "", -1)),
    ):
        batch = read_desi(write_coadd(tmp_path / name, 1, **nameless))
        assert tuple(batch.meta[key][0] for key in batch.keys) == expected


def test_fibre_status_becomes_a_flag(tmp_path):
    status = np.array([0, RESTRICTED, 1 << 9, 1 << 22, RESTRICTED | 1 << 16, 2, -(2**31)], np.int32)
    path = write_coadd(tmp_path / NAME, 7, targets=fibermap(7, COADD_FIBERSTATUS=status))
    flags = preprocess(read_desi(path)).flags
    assert ((flags & Flag.BAD_FIBER) != 0).tolist() == [False, False, True, True, True, True, True]
    assert flags[0] & ~Flag.LOW_SNR == Flag.NO_VELOCITY
    maskbits = pytest.importorskip("desispec.maskbits", reason="desispec is not installed")
    assert maskbits.fibermask.RESTRICTED == RESTRICTED


def test_resolution_is_not_read_unless_asked(tmp_path):
    path = write_coadd(tmp_path / NAME, 40)
    read_desi(path)
    tracemalloc.start()
    try:
        read_desi(path)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2751 * 20
    finally:
        tracemalloc.stop()
    ids, diagonals = read_resolution(path, "R")
    assert ids[-1] == FIRST + 39
    assert diagonals.shape == (40, 11, 2326)
    assert diagonals[:, 5, 7].tolist() == list(range(1, 41))
    with pytest.raises(InputError, match="no HDU Z_RESOLUTION"):
        read_resolution(write_coadd(tmp_path / "coadd-a.fits", 1, resolution=False), "Z")


def test_merged_as_desispec_does(tmp_path):
    pytest.importorskip("desispec.io", reason="desispec is not installed")
    from desispec.coaddition import coadd_cameras
    from desispec.io import read_spectra

    targets = fibermap(5, OBJTYPE=["TGT", "SKY", "TGT", "TGT", "TGT"])
    path = write_coadd(tmp_path / NAME, 5, targets=targets)
    theirs = coadd_cameras(read_spectra(str(path)))
    ours = read(get_survey("desi-brz"), path)
    (band,) = theirs.bands
    kept = [0, 2, 3, 4]
    np.testing.assert_array_equal(ours.wave, theirs.wave[band])
    np.testing.assert_allclose(ours.flux, theirs.flux[band][kept], rtol=2e-6)
    np.testing.assert_allclose(ours.ivar, theirs.ivar[band][kept], rtol=2e-6)
    np.testing.assert_array_equal(ours.mask, theirs.mask[band][kept] != 0)
    overlap = (ours.wave > 5759.9) & (ours.wave < 5800.1)
    assert overlap.sum() == 51
    assert np.median(ours.ivar[:, overlap]) > 1.5 * np.median(ours.ivar[:, ~overlap])


def test_masked_pixels_have_no_weight_where_cameras_overlap(tmp_path):
    cameras = arms(2)
    _, flux, ivar, mask = cameras["B"]
    ivar[:, -10:], mask[:, -10:], flux[:, -10:] = 99, 4, np.nan
    merged = read_desi(write_coadd(tmp_path / NAME, 2, cameras=cameras), ("R", "B"))
    where = slice(2741, 2751)
    np.testing.assert_array_equal(merged.flux[:, where], cameras["R"][1][:, 41:51])
    np.testing.assert_array_equal(merged.mask[:, where], cameras["R"][3][:, 41:51] != 0)
    assert merged.wave[-1] == WAVES["R"][-1]


def test_the_merged_blue_is_the_blue(tmp_path):
    path = write_coadd(tmp_path / NAME, 3)
    write_redrock(tmp_path / NAME.replace("coadd", "redrock"), FIRST + np.arange(3))
    blue, merged = (preprocess(read(get_survey(name), path), threads=1) for name in ("desi", "desi-brz"))
    np.testing.assert_allclose(blue.flux, merged.flux, rtol=1e-5)
    np.testing.assert_array_equal(blue.flags, merged.flags)


def test_redrock_beside_the_coadd(tmp_path):
    path = write_coadd(tmp_path / NAME, 7)
    beside = tmp_path / NAME.replace("coadd", "redrock")
    ids = FIRST + np.array([6, 4, 3, 2, 1, 0])
    kinds = np.array(["STAR", "STAR", "QSO", "GALAXY", "STAR", "STAR"])
    z = np.array([0.5, 3e-4, 2.0, 0.08, -1e-4, 1e-4])
    write_redrock(
        beside, ids, SPECTYPE=kinds, Z=z, ZWARN=np.array([0, 4, 0, 0, 0, 0]), SUBTYPE=np.array(list("GFBAKM"))
    )
    meta = read_desi(path).meta
    np.testing.assert_allclose(
        meta["velocity"] / SPEED_OF_LIGHT, [1e-4, -1e-4, np.nan, np.nan, np.nan, np.nan, np.nan], rtol=1e-12
    )
    assert meta["class"].tolist() == ["STAR", "STAR", "GALAXY", "QSO", "", "", "STAR"]
    assert meta["subclass"].tolist() == ["M", "K", "A", "B", "", "", "G"]
    flags = preprocess(read_desi(path)).flags
    assert ((flags & Flag.NON_STELLAR) != 0).tolist() == [k in ("GALAXY", "QSO") for k in meta["class"]]
    packed = gzip.compress(beside.read_bytes())
    beside.unlink()
    (tmp_path / f"{beside.name}.gz").write_bytes(packed)
    assert read_desi(path).meta["class"].tolist() == meta["class"].tolist()
    assert find_files(DESI, tmp_path) == [path]


def test_broken_redrock_file_is_named(tmp_path):
    path = write_coadd(tmp_path / NAME, 2)
    beside = tmp_path / NAME.replace("coadd", "redrock")
    write_redrock(beside, [FIRST, FIRST + 1], ZWARN=None)
    with pytest.raises(InputError, match=r"redrock-main-bright-9850.fits: REDSHIFTS has no column ZWARN"):
        read(DESI, path)
    with fits.open(beside) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
    beside.write_bytes(beside.read_bytes()[: start + 20])
    with pytest.raises(InputError, match=r"redrock-main-bright-9850.fits: truncated"):
        read(DESI, path)


def test_no_velocity_is_lost_to_what_stands_in_the_place_of_the_redrock_file(tmp_path, caplog):
    """A pipe, a folder, a dead link, other targets: refused. Some targets that are lacking: told."""
    path = write_coadd(tmp_path / NAME, 3)
    beside = tmp_path / NAME.replace("coadd", "redrock")
    for make, problem in (
        (lambda: os.mkfifo(beside), "a pipe, socket or device, not a file"),
        (lambda: os.symlink(tmp_path / "gone", beside), "no such file"),
        (lambda: write_redrock(beside, [0, 0, 0]), "has one TARGETID in several rows"),
        (lambda: write_redrock(beside, [5, 6]), "has none of the targets of coadd-main"),
        (lambda: write_redrock(beside, []), "has none of the targets of coadd-main"),
    ):
        make()
        with pytest.raises(InputError, match=f"redrock-main-bright-9850.fits: .*{problem}"):
            read(DESI, path)
        beside.unlink()
    beside.mkdir()
    with pytest.raises(InputError, match=r"redrock-main-bright-9850.fits: a folder, not a file"):
        read(DESI, path)
    beside.rmdir()
    write_redrock(beside, [FIRST, FIRST + 2])
    assert read(DESI, path).meta["class"].tolist() == ["STAR", "", "STAR"]
    assert "REDSHIFTS lacks 1 of 3 targets" in caplog.text


def images(*names):
    return [fits.ImageHDU(np.ones((2, 3), np.float32), name=name) for name in names]


def test_other_products_are_refused_with_a_hint(tmp_path):
    single = table("FIBERMAP", TARGETID=np.arange(2), FIBERSTATUS=np.zeros(2, np.int32), OBJTYPE=np.full(2, "TGT"))
    products = {
        "spectra-main-bright-1": (
            [single, *images("B_WAVELENGTH", "B_FLUX", "B_IVAR", "B_MASK")],
            "spectra of single exp",
        ),
        "cframe-b1-00068657": ([*images("FLUX", "IVAR", "MASK", "WAVELENGTH"), single], "a frame of one camera"),
        "redrock-main-bright-1": (
            [table("REDSHIFTS", TARGETID=np.arange(2))],
            "a redrock file, which holds no spectra",
        ),
        "mwsall": ([table("RVTAB", TARGETID=np.arange(2))], r"not a DESI coadd \(HDUs PRIMARY, RVTAB\)"),
    }
    for name, (hdus, message) in products.items():
        path = tmp_path / f"{name}.fits"
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
        with pytest.raises(InputError, match=message) as caught:
            read(DESI, path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")


def change(hdus, name, action):
    place = [hdu.name for hdu in hdus].index(name)
    action(hdus, place)


BROKEN = {
    "no mask": ("B_MASK", lambda h, i: h.pop(i), "a coadd without HDU B_MASK"),
    "no fibermap": ("FIBERMAP", lambda h, i: h.pop(i), "not a DESI coadd"),
    "no blue": ("B_FLUX", lambda h, i: h.pop(i), "a coadd without HDU B_FLUX"),
    "fewer fluxes": ("B_FLUX", lambda h, i: setattr(h[i], "data", h[i].data[:2]), r"B_FLUX has shape \(2, 2751\)"),
    "fewer pixels": ("B_IVAR", lambda h, i: setattr(h[i], "data", h[i].data[:, 1:]), r"B_IVAR has shape \(3, 2750\)"),
    "fewer scores": ("SCORES", lambda h, i: setattr(h[i], "data", h[i].data[:2]), "SCORES has 2 rows, FIBERMAP 3"),
    "nanometres": ("B_WAVELENGTH", lambda h, i: setattr(h[i], "data", h[i].data / 10), "not Angstrom"),
    "a table": ("B_MASK", lambda h, i: h.__setitem__(i, table("B_MASK", A=np.zeros(3))), "B_MASK is not a plain image"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_contents(tmp_path, case):
    name, action, message = BROKEN[case]
    hdus = coadd_hdus(3)
    change(hdus, name, action)
    hdus.writeto(tmp_path / NAME)
    with pytest.raises(InputError, match=message) as caught:
        read(DESI, tmp_path / NAME)
    assert "\n" not in str(caught.value)
    assert NAME in str(caught.value)


def test_cameras_on_other_pixels_cannot_be_merged(tmp_path):
    cameras = arms(1)
    cameras["R"] = (cameras["R"][0] + 0.3, *cameras["R"][1:])
    path = write_coadd(tmp_path / NAME, 1, cameras=cameras)
    with pytest.raises(InputError, match=r"coadd-main-bright-9850.fits: .*cameras do not agree"):
        read(get_survey("desi-brz"), path)
    assert len(read(DESI, path)) == 1


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (np.array([str(FIRST), "39633345008634465"]), [FIRST, 39633345008634465]),
        (np.array([3.0, 2.0**52]), [3, 2**52]),
        (np.array([3.0, 2.0**62]), "stored as floating point"),
        (np.array(["3", "x"]), "'x' is not an integer of 64 bits"),
    ],
)
def test_ids_of_other_types(tmp_path, ids, expected):
    path = write_coadd(tmp_path / NAME, 2, targets=fibermap(2, TARGETID=ids))
    if isinstance(expected, str):
        with pytest.raises(InputError, match=f"{NAME}: TARGETID: .*{expected}"):
            read(DESI, path)
    else:
        assert read(DESI, path).ids.tolist() == expected


@pytest.mark.parametrize("packed", [False, True])
def test_truncation_anywhere(tmp_path, packed):
    content = write_coadd(tmp_path / "whole.fits", 2, cameras=arms(2, pixels=30)).read_bytes()
    with fits.open(tmp_path / "whole.fits") as hdus:
        data_end = hdus[-1].fileinfo()["datLoc"] + hdus[-1].size
    path = tmp_path / NAME
    squeeze = gzip.compress if packed else bytes
    for size in (80, 2879, 2881, 5000, 20_000, 40_000, 46_100, 98_000, 101_000, data_end - 1):
        path.write_bytes(squeeze(content[:size]))
        with pytest.raises(InputError, match=r"truncated|a coadd without|not a DESI coadd") as caught:
            read(DESI, path)
        assert "\n" not in str(caught.value)
    if packed:
        path.write_bytes(gzip.compress(content)[:-100])
        with pytest.raises(InputError, match="truncated"):
            read(DESI, path)
    path.write_bytes(squeeze(content[:data_end]))
    assert len(read(DESI, path)) == 2


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 60_000), st.binary(min_size=1, max_size=12), st.booleans())
def test_damaged_bytes_give_spectra_or_one_clear_line(tmp_path, position, junk, packed):
    good = tmp_path / "good.fits"
    if not good.exists():
        write_coadd(good, 2, cameras=arms(2, pixels=30))
    content = bytearray(good.read_bytes())
    content[position : position + len(junk)] = junk
    bad = tmp_path / "bad.fits"
    bad.write_bytes(gzip.compress(bytes(content), 1) if packed else bytes(content))
    message = f"{bad}: spectra"
    try:
        read(DESI, bad)
    except InputError as error:
        message = str(error)
    assert message.startswith(f"{bad}: ")
    assert "\n" not in message


def test_real_single_exposures_with_compressed_masks_are_refused_by_name(data):
    with pytest.raises(InputError, match=r"spectra of single exposures \(spectra-\*\)"):
        read_desi(data / "public/desi/spectra-sv3-dark-26065.fits.gz")


def test_compressed_masks_of_a_coadd(tmp_path):
    plain = read_desi(write_coadd(tmp_path / "coadd-a.fits", 4))
    with fits.open(tmp_path / "coadd-a.fits") as hdus:
        packed = [
            fits.CompImageHDU(hdu.data, hdu.header, compression_type="GZIP_1") if hdu.name.endswith("MASK") else hdu
            for hdu in hdus
        ]
        fits.HDUList(packed).writeto(tmp_path / "coadd-b.fits")
    found = read_desi(tmp_path / "coadd-b.fits")
    np.testing.assert_array_equal(found.mask, plain.mask)
    assert plain.mask.any()


def test_real_files(data):
    for name, place, kind in (
        ("coadd-special-dark-27247.fits", ("special", "dark", 27247), "GALAXY"),
        ("coadd-4-80613-thru20210324.fits", ("", "", -1), "GALAXY"),
    ):
        batch = read(DESI, data / "desi" / name)
        assert tuple(batch.meta[key][0] for key in batch.keys) == place
        assert batch.meta["class"].tolist() == [kind]
        with fits.open(data / "desi" / name) as hdus:
            np.testing.assert_array_equal(batch.flux, hdus["B_FLUX"].data)
            np.testing.assert_array_equal(batch.ivar, hdus["B_IVAR"].data)
            assert batch.ids.tolist() == hdus["FIBERMAP"].data["TARGETID"].tolist()
            assert batch.meta["snr_survey"].tolist() == hdus["SCORES"].data["MEDIAN_COADD_SNR_B"].tolist()
    for name in ("redrock-special-dark-27247.fits", "desihigh-coadd-mws-66003-20200315.fits", "rvtab-64-5607.fits"):
        with pytest.raises(InputError, match=r"redrock file|not a DESI coadd"):
            read(DESI, data / "desi" / name)


def test_real_cameras_merged_as_desispec_does(data):
    pytest.importorskip("desispec.io", reason="desispec is not installed")
    from desispec.coaddition import coadd_cameras
    from desispec.io import read_spectra

    for name in ("coadd-special-dark-27247.fits", "coadd-4-80613-thru20210324.fits"):
        theirs = coadd_cameras(read_spectra(str(data / "desi" / name)))
        ours = read(get_survey("desi-brz"), data / "desi" / name)
        (band,) = theirs.bands
        np.testing.assert_array_equal(ours.wave, theirs.wave[band])
        np.testing.assert_allclose(ours.flux, theirs.flux[band], rtol=2e-6, atol=1e-6)
        np.testing.assert_allclose(ours.ivar, theirs.ivar[band], rtol=2e-6)


def test_real_stars_in_the_layout_of_a_coadd(data, tmp_path):
    """An outreach set gives 16 stars on the pixels of the three cameras, one column each, and a table of redshifts."""
    with fits.open(data / "desi/desihigh-coadd-mws-66003-20200315.fits") as hdus:
        columns = hdus[1].data
        names = [name for name in columns.names if name != "WAVELENGTH"]
        # Pixels of the cameras alternate where they overlap.
        pixels = np.searchsorted(columns["WAVELENGTH"], WAVES["B"] - 1e-3)
        np.testing.assert_allclose(columns["WAVELENGTH"][pixels], WAVES["B"], atol=1e-6)
        flux = np.array([columns[name] for name in names], np.float32)[:, pixels]
    ids = np.array([int(name.removeprefix("TARGET")) for name in names])
    ivar, mask = np.full_like(flux, 1.0), np.zeros(flux.shape, np.int32)
    targets = fibermap(len(ids), TARGETID=ids)
    write_coadd(tmp_path / NAME, len(ids), cameras={"B": (WAVES["B"], flux, ivar, mask)}, targets=targets)
    found = fits.getdata(data / "desi/desihigh-zbest-mws-66003-20200315.fits")
    wanted = {name: np.array(found[name].tolist()) for name in ("TARGETID", "Z", "ZWARN", "SPECTYPE", "SUBTYPE")}
    write_redrock(tmp_path / NAME.replace("coadd", "redrock"), wanted.pop("TARGETID"), **wanted)
    batch = read(DESI, tmp_path / NAME)
    assert batch.ids.tolist() == ids.tolist()
    stars = batch.meta["class"] == "STAR"
    assert stars.sum() >= 10
    assert (np.abs(batch.meta["velocity"][stars]) < 500).all()
    spectra = preprocess(batch, sky_lines=DESI.sky_lines)
    usable = np.isfinite(spectra.flux).all(axis=1) & stars
    assert usable.sum() >= 10
    assert (np.median(spectra.flux[usable], axis=1) > 0.5).all()
