"""The paper's cuts, counted on the written catalogs with nothing but astropy and numpy, give the counts of the scale."""

import numpy as np
import pytest
from astropy.io import fits

from transtar.simulate.native import apogee, mws
from transtar.simulate.universe.samples import plan
from transtar.simulate.universe.scales import get_scale

from .. import made_samples as made


@pytest.fixture(scope="module", params=["small", pytest.param("paper", marks=pytest.mark.slow)])
def catalogs(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    made_plan = plan(dict.fromkeys(("lamost", "desi", "miles"), made.draw), get_scale(request.param))
    apogee.write_allstar(made_plan.apogee, folder / "allStar.fits")
    for release, name in mws.RELEASES.items():
        mws.write_mwsall(made_plan.desi[made_plan.desi[f"in_{release}"]], folder / name)
    # Undefined logicals can be told only as bytes.
    opened = {name: fits.open(folder / file, logical_as_bytes=True) for name, file in mws.RELEASES.items()}
    with fits.open(folder / "allStar.fits") as stars:
        return made_plan.scale, stars[1].data, opened["dr1"], opened["edr"]


def test_common_stars(catalogs):
    scale, allstar, dr1, _ = catalogs
    good = (
        (allstar["STARFLAG"] == 0) & (allstar["FE_H_FLAG"] == 0) & (allstar["MG_FE_FLAG"] == 0) & (allstar["SNR"] > 40)
    )
    good &= (allstar["EXTRATARG"] & 16 == 0) & (allstar["GAIAEDR3_SOURCE_ID"] > 0)
    rv = dr1["RVTAB"].data
    primary = (rv["PRIMARY"] == b"T") | (rv["PRIMARY"] == b"\0") | (rv["PRIMARY"] == b"")
    rows = (rv["RVS_WARN"] == 0) & primary
    ids = dr1["GAIA"].data["SOURCE_ID"]
    common = np.intersect1d(allstar["GAIAEDR3_SOURCE_ID"][good], ids[rows & (ids > 0)])
    assert len(common) == scale.common
    assert ((rv["PRIMARY"] != b"T") & rows).sum() >= 3
    star = allstar[good & np.isin(allstar["GAIAEDR3_SOURCE_ID"], common)]
    assert len(star) == scale.common
    teff, feh = star["TEFF"], star["FE_H"]
    training = (teff > 4500) & (feh < -0.7)
    assert training.sum() == scale.train_poor
    assert ((teff > 4500) & ~training).sum() >= scale.train_rich
    assert (teff > 4000).sum() == scale.common - scale.common_cool
    assert (teff > 4000).sum() - training.sum() - scale.train_rich == scale.test
    assert ((teff > 4000) & ~training & (feh < -1)).sum() == scale.test_poor
    # Appendix D, before the calibration.
    sp = dr1["SPTAB"].data
    clean = (sp["BESTGRID"] != "s_rdesi1") & (rv["RR_SPECTYPE"] == "STAR") & (rv["SN_R"] > 10) & (rv["FEH_ERR"] < 0.1)
    kept = np.isin(star["GAIAEDR3_SOURCE_ID"], ids[rows & clean])
    assert (~kept).sum() == scale.clean_removed


def test_every_flag_loses_somebody(catalogs):
    _, allstar, dr1, edr = catalogs
    for column in ("STARFLAG", "FE_H_FLAG", "MG_FE_FLAG", "ASPCAPFLAG", "EXTRATARG"):
        assert (allstar[column] != 0).any()
    assert (allstar["SNR"] <= 40).any()
    assert (allstar["GAIAEDR3_SOURCE_ID"] == 0).any()
    for hdus in (dr1, edr):
        assert (hdus["RVTAB"].data["RVS_WARN"] != 0).any()
        assert (hdus["RVTAB"].data["PRIMARY"] == b"F").any()
        assert (hdus["GAIA"].data["SOURCE_ID"] == 0).any()
        assert (hdus["RVTAB"].data["TARGETID"] < 0).any()


def test_edr(catalogs):
    scale, _, dr1, edr = catalogs
    rv, sp = edr["RVTAB"].data, edr["SPTAB"].data
    rows = (rv["RVS_WARN"] == 0) & (rv["PRIMARY"] == b"T") & (rv["RR_SPECTYPE"] == "STAR")
    rows &= edr["SCORES"].data["MEDIAN_COADD_SNR_B"] > 20
    assert len(np.unique(rv["TARGETID"][rows])) == rows.sum() == scale.edr
    rows &= (sp["TEFF"] > 4000) & np.isfinite(sp["FEH"]) & np.isfinite(sp["ALPHAFE"])
    # Those whose normalisation fails are told by their spectra only.
    spoilt = (scale.edr - scale.edr_final - (scale.edr - scale.edr_final) // 4) // 3
    assert rows.sum() - spoilt in (scale.edr_final, scale.edr_final + 1)
    rv1, sp1 = dr1["RVTAB"].data, dr1["SPTAB"].data
    clean = (rv1["PRIMARY"] == b"T") & (sp1["BESTGRID"] != "s_rdesi1")
    clean &= (sp1["TEFF"] >= 4000) & (sp1["TEFF"] < 6600) & (sp1["LOGG"] >= 0) & (sp1["LOGG"] < 5.1)
    kept = np.intersect1d(rv["TARGETID"][rows], rv1["TARGETID"][clean & np.isfinite(sp1["FEH"])])
    assert scale.edr_clean <= len(kept) <= scale.edr_clean + spoilt + 1


def test_hdus_match_row_by_row(catalogs):
    _, _, dr1, edr = catalogs
    for hdus in (dr1, edr):
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "RVTAB", "SPTAB", "FIBERMAP", "SCORES", "GAIA"]
        for name in ("SPTAB", "FIBERMAP", "SCORES"):
            np.testing.assert_array_equal(hdus[name].data["TARGETID"], hdus["RVTAB"].data["TARGETID"])
        assert hdus["SPTAB"].data["COVAR"].shape[1:] == (5, 5)
        assert hdus[0].header["PIPELINE"] == "simulated pipeline"
        assert hdus["RVTAB"].columns["VRAD"].unit == "km s-1"
