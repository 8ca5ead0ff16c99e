"""What the files of LAMOST, MILES and DESI say, by astropy and the documents of their formats."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from transtar.surveys.air import air_to_vacuum

from .oracle_fits import Broken, card, number, read_fits, whole, words
from .values import pixels

LIGHT = 299792.458
FASTEST = 3000.0
UNITS = ("BUNIT", "TUNIT1", "TUNIT2", "TUNIT3", "TUNIT4")


def lamost(path: Path) -> dict[str, Any]:
    """Image layout (flux, ivar, wavelength, and-mask in rows) or table layout (one row of vectors)."""
    hdus, odd, bad_sum = read_fits(path)
    header, image = hdus[0].header, hdus[0].data
    if image is not None and image.ndim == 2 and len(image) >= 3:
        flux, ivar, wave = image[0], image[1], image[2].astype(np.float64)
        mask = image[3] > 0 if len(image) > 3 else np.zeros(len(flux), bool)
        if not (np.isfinite(wave).all() and wave[0] > 2500 and (np.diff(wave) > 0).all()):
            start, step = number(header, "COEFF0", "CRVAL1"), number(header, "COEFF1", "CD1_1", "CDELT1")
            wave = 10.0 ** (start + step * np.arange(len(flux)))
    elif image is None:
        names = [hdu.name for hdu in hdus]
        if "COADD" not in names and len(hdus) < 2:
            raise Broken("no table")
        table = hdus["COADD"] if "COADD" in names else hdus[-1]
        data, columns = table.data, [name.upper() for name in table.columns.names]
        if len(data) != 1 or len(set(columns)) != len(columns):
            raise Broken("not one row, or columns of one name")
        flux, ivar = (np.atleast_1d(np.asarray(data[name][0], np.float64)) for name in ("FLUX", "IVAR"))
        if "WAVELENGTH" in columns and "LOGLAM" in columns:
            raise Broken("wavelengths twice")
        wave = (
            np.asarray(data["WAVELENGTH"][0], np.float64)
            if "WAVELENGTH" in columns
            else 10.0 ** data["LOGLAM"][0].astype(float)
        )
        mask = data["ANDMASK"][0] > 0 if "ANDMASK" in columns else np.zeros(len(flux), bool)
    else:
        raise Broken("neither layout")
    _check(wave, flux, ivar, mask)
    if card(header, "VACUUM") in (False, 0, "F"):
        wave = air_to_vacuum(wave)
    kind, redshift = words(header, "CLASS"), number(header, "Z")
    star = kind.upper() == "STAR" and abs(LIGHT * redshift) <= FASTEST
    return {
        "n": 1, "id": np.array([whole(header, "OBSID")]), "frame": "observed",
        "pixels": [pixels(wave, flux, ivar, mask)],
        "velocity": np.array([LIGHT * redshift if star else np.nan]),
        "star": np.array([words(header, "DESIG").removeprefix("LAMOST").strip()]),
        "class": np.array([kind]), "subclass": np.array([words(header, "SUBCLASS")]),
        "snr_survey": np.array([number(header, "SNRG", "SN_G")]),
        "ra": np.array([number(header, "RA")]), "dec": np.array([number(header, "DEC")]),
        "release": np.array([words(header, "DATA_V")]),
        "_telescope": words(header, "TELESCOP"), "_medium_resolution": any(hdu.name.startswith("COADD_") for hdu in hdus),
        "_vacuum": str(card(header, "VACUUM")), "_odd": odd, "_sum": bad_sum,
        "_units": [said for hdu in hdus for key in UNITS if (said := words(hdu.header, key))],
    }  # fmt: skip


def miles(path: Path) -> dict[str, Any]:
    """One-dimensional image on linear air wavelengths, rest frame; the number of the star is in the file's name."""
    hdus, odd, bad_sum = read_fits(path)
    header, flux = hdus[0].header, hdus[0].data
    if flux is None or flux.ndim != 1:
        raise Broken("no one-dimensional image")
    start, step, reference = number(header, "CRVAL1"), number(header, "CDELT1", "CD1_1"), number(header, "CRPIX1")
    reference = 1.0 if np.isnan(reference) else reference
    wave = start + (np.arange(len(flux)) + 1 - reference) * step
    _check(wave, flux)
    name = re.search(r"m(\d{3,5})V?\b", path.name)
    return {
        "n": 1, "id": np.array([int(name[1]) if name else -1]), "frame": "rest",
        "pixels": [pixels(air_to_vacuum(wave), flux, None, ~np.isfinite(flux) | (flux == 0))],
        "velocity": np.array([0.0]),
        "_said": [words(header, key) for key in ("TPLLIB", "CTYPE1", "CUNIT1", "BUNIT", "DC-FLAG")],
        "_odd": odd, "_sum": bad_sum,
    }  # fmt: skip


def desi(path: Path, cameras: str = "B") -> dict[str, Any]:
    """Coadds of targets, with redshifts from the redrock file beside them; several cameras are compared one by one."""
    hdus, odd, bad_sum = read_fits(path)
    names = [hdu.name for hdu in hdus]
    targets = _table(hdus, names, "FIBERMAP")
    ids = np.asarray(targets["TARGETID"]).astype(np.int64)
    kinds = np.char.strip(np.asarray(targets["OBJTYPE"]).astype(str))
    keep = (ids >= 0) & (kinds == "TGT")
    primary = hdus[0].header
    arms = []
    for camera in cameras:
        wave, flux, ivar, mask = (
            _image(hdus, names, f"{camera}_{kind}") for kind in ("WAVELENGTH", "FLUX", "IVAR", "MASK")
        )
        if not flux.shape == ivar.shape == mask.shape == (len(ids), len(wave)):
            raise Broken("shapes differ")
        _check(wave, flux[0] if len(flux) else wave)
        arms.append(
            (
                np.asarray(wave, np.float64),
                flux.astype(np.float64),
                ivar.astype(np.float64),
                (mask != 0) | ~np.isfinite(flux),
            )
        )
    named = re.match(r"coadd-([a-z0-9]+)-([a-z0-9]+)-(\d+)\.fits", path.name)
    survey, program, pixel = named.groups() if named and not named[1].isdigit() else ("", "", "-1")
    status = np.asarray(
        targets["COADD_FIBERSTATUS"] if "COADD_FIBERSTATUS" in targets.names else np.zeros(len(ids), int)
    )
    score = _optional(hdus, names, "SCORES", f"MEDIAN_COADD_SNR_{cameras[0]}")
    healpix = whole(primary, "HPXPIXEL") if "HPXPIXEL" in primary else int(pixel)
    out = {
        "n": int(keep.sum()), "id": ids[keep], "frame": "observed",
        "star": np.array(_stars(ids, targets))[keep],
        "ra": np.asarray(targets["TARGET_RA"], np.float64)[keep] if "TARGET_RA" in targets.names else np.full(keep.sum(), np.nan),
        "dec": np.asarray(targets["TARGET_DEC"],
            np.float64)[keep] if "TARGET_DEC" in targets.names else np.full(keep.sum(), np.nan),
        "bad_fiber": ((status & ~8) != 0)[keep],
        "snr_survey": (np.full(len(ids), np.nan) if score is None else np.asarray(score, np.float64))[keep],
        "SURVEY": np.full(keep.sum(), words(primary, "SURVEY") or survey),
        "PROGRAM": np.full(keep.sum(), words(primary, "PROGRAM") or program),
        "HEALPIX": np.full(keep.sum(), healpix),
        **{name: column[keep] for name, column in _redshifts(path, ids).items()},
        "_kind": sorted({"EXP_FIBERMAP", "FLUX", "IVAR", "REDSHIFTS"} & set(names)), "_odd": odd, "_sum": bad_sum,
    }  # fmt: skip
    return out | {"pixels": [_merged(arms, row) for row in np.flatnonzero(keep)]}


def _merged(arms: list, row: int):
    """One spectrum; of pixels that two cameras share the averages weighted by inverse variance."""
    if len(arms) == 1:
        wave, flux, ivar, mask = arms[0]
        return pixels(wave, flux[row], ivar[row], mask[row])
    places: dict[int, list[tuple[float, float, float]]] = {}
    for wave, flux, ivar, mask in arms:
        good = ~mask[row] & (ivar[row] > 0)
        for w, f, v in zip(wave[good], flux[row][good], ivar[row][good], strict=True):
            places.setdefault(round(w * 100), []).append((w, f, v))
    merged = []
    for _, found in sorted(places.items()):
        weight = sum(v for _, _, v in found)
        merged.append((found[0][0], sum(f * v for _, f, v in found) / weight, weight))
    wave, flux, ivar = np.array(merged).reshape(-1, 3).T
    total = len({round(w * 100) for arm in arms for w in arm[0]})
    found = pixels(wave, flux, ivar)
    return type(found)(found.wave, found.flux, found.ivar, total)


def _redshifts(path: Path, ids: np.ndarray) -> dict[str, np.ndarray]:
    out = {
        "velocity": np.full(len(ids), np.nan),
        "class": np.full(len(ids), "", "U30"),
        "subclass": np.full(len(ids), "", "U30"),
    }
    stem = re.sub(r"\.(gz|bz2|fz)$", "", path.name)
    beside = [path.with_name("redrock-" + stem.removeprefix("coadd-") + suffix) for suffix in ("", ".gz")]
    beside = [one for one in beside if stem.startswith("coadd-") and one.exists()]
    if not beside:
        return out
    hdus, _, bad_sum = read_fits(beside[0])
    if bad_sum:
        raise Broken("checksum of the redrock file")
    table = _table(hdus, [hdu.name for hdu in hdus], "REDSHIFTS")
    theirs = np.asarray(table["TARGETID"]).astype(np.int64).tolist()
    if len(set(theirs)) != len(theirs):
        raise Broken("a target twice among the redshifts")
    for row, target in enumerate(ids.tolist()):
        if target in theirs and table["ZWARN"][theirs.index(target)] == 0:
            place = theirs.index(target)
            out["class"][row] = str(table["SPECTYPE"][place]).strip()
            out["subclass"][row] = str(table["SUBTYPE"][place]).strip()
            speed = LIGHT * float(table["Z"][place])
            if out["class"][row] == "STAR" and abs(speed) <= FASTEST:
                out["velocity"][row] = speed
    return out


def _stars(ids: np.ndarray, targets: Any) -> list[str]:
    releases = {"G2": "Gaia DR2", "G3": "Gaia DR3"}
    catalog = (
        np.char.strip(np.asarray(targets["REF_CAT"]).astype(str))
        if "REF_CAT" in targets.names
        else np.full(len(ids), "")
    )
    numbers = np.asarray(targets["REF_ID"]) if "REF_ID" in targets.names else np.zeros(len(ids), int)
    return [
        f"{releases[source]} {int(n)}" if source in releases and n > 0 else f"DESI {own}"
        for source, n, own in zip(catalog.tolist(), numbers.tolist(), ids.tolist(), strict=True)
    ]


def _table(hdus: Any, names: list[str], name: str) -> Any:
    if names.count(name) != 1 or hdus[name].data is None or not hasattr(hdus[name], "columns"):
        raise Broken(f"no table {name}, or two")
    return hdus[name].data


def _image(hdus: Any, names: list[str], name: str) -> np.ndarray:
    if names.count(name) != 1 or hdus[name].data is None or hasattr(hdus[name], "columns"):
        raise Broken(f"no image {name}, or two")
    return hdus[name].data


def _optional(hdus: Any, names: list[str], name: str, column: str) -> Any:
    if name not in names:
        return None
    data = _table(hdus, names, name)
    return data[column] if column in data.names else None


def _check(wave: np.ndarray, *planes: np.ndarray) -> None:
    if wave.ndim != 1 or len(wave) < 2 or any(np.asarray(plane).shape != wave.shape for plane in planes):
        raise Broken("shapes differ")
    if not np.isfinite(wave).all() or wave.min() <= 0 or not (np.diff(wave) > 0).all():
        raise Broken("wavelengths are none")
