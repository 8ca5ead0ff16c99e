import numpy as np
import pytest
from astropy.io import fits

from transtar.errors import InputError
from transtar.simulate.native import desi, targets
from transtar.simulate.stars.healpix import nested_index

from .. import made_samples as made

ARMS = {arm: desi.arm_wavelengths(arm) for arm in "BRZ"}


def observations(n=6):
    rows = made.draw(n, 2)
    rows["healpix"] = np.sort(np.resize([9850, 9850, 11, 9850], n))
    rows["survey"] = np.resize(["main", "main", "main", "sv3"], n)
    rows["program"] = np.full(n, "bright")
    rows["fault"] = np.resize(["", "not_star", "negative", "bad_normalisation"], n).astype("U20")
    rows["targetid"] = targets.mock_targetids(np.asarray(rows["healpix"]), np.arange(n) + 1)
    rows["targetid"][0] = 2**62 + 1
    rows["targetid"][rows["fault"] == "negative"] = -200000001
    return rows


def arms(rows, names="BRZ"):
    return {arm: made.batch(ARMS[arm], rows["targetid"], "desi", seed=ord(arm)) for arm in names}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    rows = observations()
    folder = tmp_path_factory.mktemp("desi")
    spectra = arms(rows)
    return rows, spectra, desi.write_coadds(spectra, rows, folder, {"B": 2500.0, "R": 3500.0, "Z": 4500.0}), folder


def test_places(written):
    rows, _, paths, folder = written
    assert {str(path.relative_to(folder)) for path in paths} == {
        f"healpix/{s}/bright/{p // 100}/{p}/coadd-{s}-bright-{p}.fits"
        for s, p in zip(rows["survey"], rows["healpix"], strict=True)
    }
    for path in paths:
        assert path.with_name(path.name.replace("coadd", "redrock")).exists()


def test_contents(written):
    rows, spectra, paths, _ = written
    seen = []
    for path in paths:
        with fits.open(path) as hdus:
            ids = hdus["FIBERMAP"].data["TARGETID"]
            seen += ids.tolist()
            these = [np.flatnonzero(rows["targetid"] == i)[0] for i in ids]
            for arm in "BRZ":
                good = hdus[f"{arm}_MASK"].data == 0
                np.testing.assert_array_equal(hdus[f"{arm}_FLUX"].data[good], spectra[arm].flux[these][good])
                np.testing.assert_array_equal(hdus[f"{arm}_IVAR"].data > 0, good)
            for i, row in enumerate(these):
                fault = rows["fault"][row]
                bad = (hdus["B_MASK"].data[i] != 0).mean()
                assert (bad == 1) if fault == "negative" else (bad > 0.2) == (fault == "bad_normalisation")
                snr = hdus["SCORES"].data["MEDIAN_COADD_SNR_B"][i]
                assert snr == 0 if fault == "negative" else snr == pytest.approx(20, rel=0.02)
            redrock = path.with_name(path.name.replace("coadd", "redrock"))
            found = fits.getdata(redrock, "REDSHIFTS")
            np.testing.assert_array_equal(found["TARGETID"], ids)
            assert [s == "GALAXY" for s in found["SPECTYPE"]] == [f == "not_star" for f in rows["fault"][these]]
    assert sorted(seen) == sorted(rows["targetid"].tolist())
    assert 2**62 + 1 in seen
    assert min(seen) < 0


def structure(hdus):
    tables, images = {}, {}
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU):
            tables[hdu.name] = [(c.name, c.format, c.unit) for c in hdu.columns]
        elif hdu.name != "PRIMARY":
            images[hdu.name] = (hdu.header["BITPIX"], hdu.header.get("BUNIT"), hdu.shape[-1])
    return tables, images


def test_structure_of_a_genuine_coadd(written, data):
    with fits.open(written[2][0]) as ours, fits.open(data / "desi/coadd-special-dark-27247.fits") as theirs:
        assert {hdu.name for hdu in ours} == {hdu.name for hdu in theirs}
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        assert structure(ours) == structure(theirs)
        for arm in "BRZ":
            np.testing.assert_allclose(ours[f"{arm}_WAVELENGTH"].data, theirs[f"{arm}_WAVELENGTH"].data, atol=1e-9)
            assert ours[f"{arm}_RESOLUTION"].shape[1:] == theirs[f"{arm}_RESOLUTION"].shape[1:]
        for key in ("SPGRP", "HPXNSIDE", "HPXNEST", "LONGSTRN"):
            assert ours[0].header[key] == theirs[0].header[key]
        for key in ("SPGRPVAL", "HPXPIXEL", "SURVEY", "PROGRAM"):
            assert type(ours[0].header[key]) is type(theirs[0].header[key])
        assert ours[0].header["SIMULATE"] is True


def test_structure_of_a_genuine_redrock_file(written, data):
    path = written[2][0]
    name = path.with_name(path.name.replace("coadd", "redrock"))

    def tables(hdus):
        return {hdu.name: [(c.name, c.format) for c in hdu.columns] for hdu in hdus[1:]}

    with fits.open(name) as ours, fits.open(data / "desi/redrock-special-dark-27247.fits") as theirs:
        assert tables(ours) == tables(theirs)
        assert list(tables(ours)) == list(tables(theirs))


def test_healpix_of_genuine_objects(data):
    with fits.open(data / "desi/coadd-special-dark-27247.fits") as hdus:
        target = hdus["FIBERMAP"].data[0]
    assert nested_index([target["TARGET_RA"]], [target["TARGET_DEC"]]).tolist() == [27247]
    assert targets.fibermap(observations(1))["DESINAME"][0].startswith("DESI J15")
    assert targets._desi_name(target["TARGET_RA"], target["TARGET_DEC"]) == target["DESINAME"]


def test_desispec_reads_them(written, monkeypatch):
    pytest.importorskip("desispec.io", reason="desispec is not installed")
    from desispec.io import read_spectra
    from desispec.resolution import Resolution

    rows, spectra, paths, _ = written
    for path in paths:
        read = read_spectra(str(path), return_redshifts=True)
        assert read.bands == ["b", "r", "z"]
        these = [np.flatnonzero(rows["targetid"] == i)[0] for i in read.fibermap["TARGETID"]]
        good = read.mask["b"] == 0
        np.testing.assert_array_equal(read.flux["b"][good], spectra["B"].flux[these][good])
        np.testing.assert_array_equal(read.redshifts["TARGETID"], read.target_ids())
        matrix = Resolution(read.resolution_data["b"][0])
        flat = matrix.dot(np.ones(len(ARMS["B"])))
        np.testing.assert_allclose(flat[10:-10], 1, atol=2e-3)
        # A line comes out as wide as asked: R = 2500 at 4800 A.
        line = matrix.dot((np.arange(len(ARMS["B"])) == 1500).astype(float))
        offset = ARMS["B"] - ARMS["B"][1500]
        sigma = np.sqrt((line * offset**2).sum() / line.sum())
        assert sigma == pytest.approx(np.hypot(4800 / 2500 / 2.3548, 0.8 / np.sqrt(12)), rel=0.03)


def test_desitarget_decodes_the_targetids():
    pytest.importorskip("desitarget.targets", reason="desitarget is not installed")
    from desitarget.targets import decode_targetid

    number, pixel, release, mock, sky, gaia = decode_targetid(targets.mock_targetids(np.array([49151]), np.array([17])))
    assert [int(x[0]) for x in (number, pixel, release, mock, sky, gaia)] == [17, 49151, 9000, 1, 0, 0]


def test_arms_without_spectra_and_no_resolution(tmp_path):
    rows = observations(2)
    for path in desi.write_coadds(arms(rows, "B"), rows, tmp_path):
        with fits.open(path) as hdus:
            assert not [hdu.name for hdu in hdus if "RESOLUTION" in hdu.name]
            assert (hdus["Z_MASK"].data == desi.NO_DATA).all()
            assert not hdus["R_IVAR"].data.any()


def test_mask_bits_of_the_spectra_are_kept(tmp_path):
    rows = observations(1)
    spectra = {arm.lower(): batch for arm, batch in arms(rows).items()}
    bits = np.zeros(spectra["b"].flux.shape, np.int32)
    bits[0, :9] = 4
    spectra["b"].meta["mask_bits"] = bits
    spectra["b"].mask[:] = bits > 0
    (path,) = desi.write_coadds(spectra, rows, tmp_path)
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(hdus["B_MASK"].data, bits)
        assert not hdus["B_IVAR"].data[0, :9].any()


def test_groups_hold_whole_files():
    rows = observations(40)
    groups = list(desi.pixel_groups(rows, 5))
    assert sorted(np.concatenate(groups).tolist()) == list(range(40))
    files = [{(s, p) for s, p in zip(rows["survey"][g], rows["healpix"][g], strict=True)} for g in groups]
    assert all(not a & b for i, a in enumerate(files) for b in files[:i])


def test_refused(tmp_path):
    rows = observations(3)
    with pytest.raises(InputError, match="no arm 'X'"):
        desi.write_coadds({"X": None}, rows, tmp_path)
    with pytest.raises(InputError, match="arm B has 2 spectra for 3 rows"):
        desi.write_coadds(arms(rows[:2], "B"), rows, tmp_path)
    rows["targetid"] = rows["targetid"].astype(float)
    with pytest.raises(InputError, match="targetid must be int64, not float64"):
        desi.write_coadds(arms(observations(3)), rows, tmp_path)
    assert not list(tmp_path.rglob("*.fits"))
