"""DESI coadds: ``coadd-SURVEY-PROGRAM-PIXEL.fits`` of the healpix folders, ``coadd-PETAL-TILE-NIGHT.fits`` of tiles.

Formats: https://desidatamodel.readthedocs.io. A coadd holds one row for each target, summed over exposures but not
over the cameras B (3600-5800 A), R (5760-7620 A) and Z (7520-9824 A), in vacuum and the barycentric frame. It knows
neither velocities nor classes: they come from the ``redrock-*`` file beside it, if there is one, or from a table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..content import SUFFIXES
from ..errors import InputError
from ..flags import Flag
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT
from ..spectra import SpectrumBatch, check_wave
from ..tables.ids import NO_ID, to_int64
from ..telling import tell
from .base import Survey
from .desi_cameras import Camera, merge
from .fits_parts import Part, open_fits
from .header_cards import identifier, text
from .wave_units import to_angstrom

CAMERAS = ("B", "R", "Z")

KEYS = ("SURVEY", "PROGRAM", "HEALPIX")
"""With TARGETID, what tells the coadds of one target apart."""

RESTRICTED = 1 << 3
"""The one bit of fibermask (desispec.maskbits) that only informs: the positioner reaches less far, but is on target."""

_TARGETS = (
    "TARGETID", "OBJTYPE", "COADD_FIBERSTATUS", "FIBERSTATUS", "TARGET_RA", "TARGET_DEC", "REF_ID", "REF_CAT",
)  # fmt: skip
_REDSHIFTS = ("TARGETID", "Z", "ZWARN", "SPECTYPE", "SUBTYPE")


def read_desi(path: Path, cameras: Sequence[str] = ("B",)) -> SpectrumBatch:
    """Read a coadd.

    RESOLUTION is passed over; `read_resolution` reads it.

    Parameters
    ----------
    path : Path
        FITS, gzipped or not.
    cameras : sequence of {'B', 'R', 'Z'}
        Several are merged, averaged with inverse variances where they overlap.

    Returns
    -------
    SpectrumBatch
        Flux in 1e-17 erg/s/cm2/A, observed (barycentric) frame. Masked where any bit of the pixel mask is set, as in
        desispec's own coadds, or the flux is not finite. ids are TARGETIDs; `keys` are SURVEY, PROGRAM and HEALPIX
        ('' and -1 in coadds of tiles, which do not say). ``star`` is the Gaia identifier of the target catalog
        (REF_ID), else the TARGETID; ``snr_survey`` is MEDIAN_COADD_SNR of the first camera. ``survey_flags`` holds
        BAD_FIBER where COADD_FIBERSTATUS has a bit other than RESTRICTED. From ``redrock-*`` in the same folder, where ZWARN is
        0: ``class`` (STAR, GALAXY or QSO), ``subclass``, and for stars ``velocity``, which is c Z.

        Rows of negative TARGETID (stuck positioners) and of OBJTYPE other than TGT (sky) are not among them but
        counted in `left_out`.

    Raises
    ------
    InputError
        If the file is broken, is another product of DESI (the message says what to take instead), lacks an HDU, or its
        tables do not match; if what stands beside it as ``redrock-*`` cannot be read, or is of other targets.
    """
    path = Path(path)
    wanted = [camera for camera in CAMERAS if camera in cameras]
    primary, targets, scores, arrays = _read_parts(path, wanted)
    ids = to_int64(targets["TARGETID"], f"{path}: TARGETID")
    parts = [_camera(arrays, camera, len(ids), path) for camera in wanted]
    keep, left_out = _targets_only(ids, targets["OBJTYPE"])
    merged = merge([_rows(part, keep) for part in parts], str(path))
    check_wave(merged.wave, str(path))
    status = targets.get("COADD_FIBERSTATUS", targets.get("FIBERSTATUS", np.zeros(len(ids), np.int32)))
    if status.dtype.kind not in "iu":
        raise InputError(f"{path}: COADD_FIBERSTATUS is no column of integers; fetch it again")
    snr = scores.get(f"MEDIAN_COADD_SNR_{wanted[0]}", np.full(len(ids), np.nan))
    if len(snr) != len(ids):
        raise InputError(f"{path}: SCORES has {len(snr)} rows, FIBERMAP {len(ids)}; fetch it again")
    meta = {
        "file": np.full(len(ids), path.name),
        **_redshifts(path, ids, keep),
        "star": _stars(ids, targets, path),
        "snr_survey": snr.astype(np.float64),
        "ra": targets.get("TARGET_RA", np.full(len(ids), np.nan)),
        "dec": targets.get("TARGET_DEC", np.full(len(ids), np.nan)),
        "survey_flags": np.where(status & ~RESTRICTED != 0, int(Flag.BAD_FIBER), 0).astype(np.int32),
        **{name: np.full(len(ids), value) for name, value in _place(primary, path).items()},
    }
    return SpectrumBatch(
        wave=merged.wave,
        flux=merged.flux,
        ivar=merged.ivar,
        mask=merged.mask,
        ids=ids[keep],
        survey="desi",
        frame="observed",
        medium="vacuum",
        meta={name: column[keep] for name, column in meta.items()},
        keys=KEYS,
        left_out=left_out,
    )


def read_resolution(path: Path, camera: str = "B") -> tuple[np.ndarray, np.ndarray]:
    """Read the resolution matrices of a camera, of all rows of the file.

    Parameters
    ----------
    path : Path
    camera : {'B', 'R', 'Z'}

    Returns
    -------
    ids : ndarray, shape (n_rows,), int64
        TARGETIDs.
    diagonals : ndarray, shape (n_rows, n_diagonals, n_pixels), float32
        As desispec.resolution.Resolution takes them.

    Raises
    ------
    InputError
        If the file is broken or has no such HDU.
    """
    path, name = Path(path), f"{camera}_RESOLUTION"
    ids = diagonals = None
    with open_fits(path) as parts:
        for part in parts:
            if part.name == "FIBERMAP":
                ids = to_int64(part.columns(["TARGETID"])["TARGETID"], f"{path}: TARGETID")
            elif part.name == name:
                diagonals = part.image()
    if ids is None or diagonals is None:
        raise InputError(
            f"{path}: no HDU {name if ids is not None else 'FIBERMAP'}; not every coadd is written with it"
        )
    return ids, diagonals


def _read_parts(path: Path, cameras: Sequence[str]) -> tuple[Any, dict, dict, dict[str, np.ndarray]]:
    """Primary header, columns of FIBERMAP and SCORES, and the arrays of the cameras."""
    needed = {f"{camera}_{kind}" for camera in cameras for kind in ("WAVELENGTH", "FLUX", "IVAR", "MASK")}
    names: list[str] = []
    primary: Any = {}
    targets: dict[str, np.ndarray] = {}
    scores: dict[str, np.ndarray] = {}
    arrays: dict[str, np.ndarray] = {}
    with open_fits(path) as parts:
        for part in parts:
            names.append(part.name)
            if part.name == "PRIMARY":
                primary = part.header
            elif part.name == "FIBERMAP":
                targets = part.columns(_TARGETS)
            elif part.name == "SCORES":
                scores = part.columns([f"MEDIAN_COADD_SNR_{cameras[0]}"])
            elif part.name in arrays:
                raise InputError(f"{path}: has two HDUs {part.name}; fetch it again")
            elif part.name in needed:
                arrays[part.name] = part.image()
                if part.name.endswith("WAVELENGTH"):
                    unit = part.unit()
                    arrays[part.name], _ = to_angstrom(arrays[part.name], unit, f"{path}: HDU {part.name}")
            else:
                _refuse_early(part)
    _refuse(names, targets, needed, path)
    return primary, targets, scores, arrays


def _refuse_early(part: Part) -> None:
    if part.name in ("REDSHIFTS", "ZBEST"):
        raise InputError(
            f"{part.path}: a redrock file, which holds no spectra; name the coadd-* files (a redrock-* file beside "
            "them is found by itself)"
        )


def _refuse(names: list[str], targets: dict[str, np.ndarray], needed: set[str], path: Path) -> None:
    """Say what a file is that is no coadd, and what a coadd lacks."""
    if {"FLUX", "IVAR"} <= set(names):
        raise InputError(f"{path}: a frame of one camera and exposure (cframe, sframe); name the coadd-* files instead")
    if "FIBERMAP" not in names or not any(name in names for name in ("B_FLUX", "R_FLUX", "Z_FLUX")):
        raise InputError(
            f"{path}: not a DESI coadd (HDUs {', '.join(name or 'unnamed' for name in names)}); is --survey right?"
        )
    if "EXP_FIBERMAP" not in names and "COADD_FIBERSTATUS" not in targets:
        raise InputError(
            f"{path}: spectra of single exposures (spectra-*); name the coadd-* file of the same folder instead"
        )
    absent = sorted(needed - set(names))
    if absent:
        raise InputError(f"{path}: a coadd without HDU {', '.join(absent)}; fetch it again")
    columns = [name for name in ("TARGETID", "OBJTYPE") if name not in targets]
    if columns:
        raise InputError(f"{path}: FIBERMAP has no column {', '.join(columns)}; fetch it again")


def _camera(arrays: dict[str, np.ndarray], camera: str, n: int, path: Path) -> Camera:
    wave, flux, ivar, mask = (arrays.pop(f"{camera}_{kind}") for kind in ("WAVELENGTH", "FLUX", "IVAR", "MASK"))
    shape = (n, len(wave))
    for kind, array in (("FLUX", flux), ("IVAR", ivar), ("MASK", mask)):
        if array.shape != shape:
            raise InputError(
                f"{path}: {camera}_{kind} has shape {array.shape}, FIBERMAP and wavelengths {shape}; fetch it again"
            )
    flux = flux.astype(np.float32, copy=False)
    return Camera(
        wave.astype(np.float64, copy=False),
        flux,
        ivar.astype(np.float32, copy=False),
        # desispec.coaddition gives no weight to a pixel with any bit set.
        (mask != 0) | ~np.isfinite(flux),
    )


def _rows(camera: Camera, keep: np.ndarray) -> Camera:
    if keep.all():
        return camera
    return Camera(camera.wave, camera.flux[keep], camera.ivar[keep], camera.mask[keep])


def _targets_only(ids: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Rows that are targets, and how many are not, for which reason."""
    negative, other = ids < 0, kinds != "TGT"
    left_out = {"negative TARGETID": int(negative.sum()), "OBJTYPE not TGT": int((other & ~negative).sum())}
    return ~(negative | other), {reason: n for reason, n in left_out.items() if n}


def _stars(ids: np.ndarray, targets: dict[str, np.ndarray], path: Path) -> np.ndarray:
    """Name that all spectra of a star share: its Gaia identifier, for a TARGETID may differ between surveys."""
    catalog = targets.get("REF_CAT", np.full(len(ids), ""))
    numbers = to_int64(targets.get("REF_ID", np.zeros(len(ids), np.int64)), f"{path}: REF_ID")
    releases = {"G2": "Gaia DR2", "G3": "Gaia DR3"}
    names = [
        f"{releases[source]} {number}" if source in releases and number > 0 else f"DESI {target_id}"
        for source, number, target_id in zip(catalog.tolist(), numbers.tolist(), ids.tolist(), strict=True)
    ]
    return np.array(names, dtype=str)


def _place(primary: Any, path: Path) -> dict[str, Any]:
    """Parts of the key; FIBERMAP's own header names the program of the target, which may be another."""
    named = re.match(r"coadd-([a-z0-9]+)-([a-z0-9]+)-(\d{1,6})\.fits", path.name)
    survey, program, pixel = named.groups() if named and not named[1].isdigit() else ("", "", "-1")
    stated = identifier(primary, "HPXPIXEL")
    return {
        "SURVEY": text(primary, "SURVEY") or survey,
        "PROGRAM": text(primary, "PROGRAM") or program,
        "HEALPIX": np.int64(pixel if stated < 0 else stated),
    }


def _redshifts(path: Path, ids: np.ndarray, keep: np.ndarray) -> dict[str, np.ndarray]:
    """Velocity, class and subclass from the redrock file beside a coadd; unknown where there is none.

    Of the rows that `keep` chooses, one at least must be in that file.
    """
    velocity, kind, subclass = np.full(len(ids), np.nan), np.full(len(ids), "", "U6"), np.full(len(ids), "", "U20")
    unknown = {"velocity": velocity, "class": kind, "subclass": subclass}
    stem = next((path.name[: -len(end)] for end in SUFFIXES if path.name.lower().endswith(end)), path.name)
    if not stem.startswith("coadd-"):
        return unknown
    names = [f"redrock-{stem.removeprefix('coadd-')}{suffix}" for suffix in ("", *SUFFIXES)]
    # Whatever stands there is read or the coadd refused: without it, velocities and classes would be gone without a word.
    beside = next((path.with_name(name) for name in names if os.path.lexists(path.with_name(name))), None)
    if beside is None:
        return unknown
    redshifts: dict[str, np.ndarray] = {}
    with open_fits(beside) as parts:
        for part in parts:
            if part.name == "REDSHIFTS":
                redshifts = part.columns(_REDSHIFTS)
    absent = [name for name in _REDSHIFTS if name not in redshifts]
    if absent:
        raise InputError(f"{beside}: REDSHIFTS has no column {', '.join(absent)}; fetch it again or move it away")
    redshift_ids = to_int64(redshifts["TARGETID"], f"{beside}: TARGETID")
    order = np.argsort(redshift_ids, kind="stable")
    if len(redshift_ids) > 1 and (np.diff(redshift_ids[order]) == 0).any():
        raise InputError(f"{beside}: REDSHIFTS has one TARGETID in several rows; fetch it again or move it away")
    if not len(redshift_ids):
        redshift_ids, order = np.full(1, NO_ID), np.zeros(1, np.int64)
    place = order[np.minimum(np.searchsorted(redshift_ids, ids, sorter=order), len(redshift_ids) - 1)]
    lacking = int((redshift_ids[place] != ids)[keep].sum())
    if lacking and lacking == keep.sum():
        raise InputError(f"{beside}: REDSHIFTS has none of the targets of {path.name}; fetch it again or move it away")
    if lacking:
        tell(
            f"{beside}: REDSHIFTS lacks {lacking} of {int(keep.sum())} targets of {path.name}, whose velocities and classes are "
            "unknown"
        )
    # With a warning neither class nor redshift can be relied upon.
    sure = (redshift_ids[place] == ids) & (redshifts["ZWARN"][place] == 0)
    kind[sure], subclass[sure] = redshifts["SPECTYPE"][place][sure], redshifts["SUBTYPE"][place][sure]
    speed = SPEED_OF_LIGHT * redshifts["Z"][place]
    star = sure & (kind == "STAR") & (np.abs(speed) <= MOST_VELOCITY)
    velocity[star] = speed[star]
    return unknown


def coadd_names(stars: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Healpix coadds of a list of stars, named from the folder ``healpix`` of a release on.

    Parameters
    ----------
    stars : mapping of str to ndarray, each of shape (n,)

    Returns
    -------
    ndarray of str, shape (n,), or None
        ``SURVEY/PROGRAM/PIXEL//100/PIXEL/coadd-SURVEY-PROGRAM-PIXEL.fits``, '' where the pixel is unknown; None if the list lacks
        SURVEY, PROGRAM or HEALPIX.
    """
    if not set(KEYS) <= set(stars):
        return None
    survey, program, pixel = (stars[name].tolist() for name in KEYS)
    return np.array([
        f"{s}/{p}/{int(n) // 100}/{int(n)}/coadd-{s}-{p}-{int(n)}.fits" if s and p and int(n) >= 0 else ""
        for s, p, n in zip(survey, program, pixel, strict=True)
    ])  # fmt: skip


SURVEY = Survey(
    name="desi",
    description="DESI coadds of healpix pixels or tiles, blue camera (R 2000-3200, 3600-5800 A), FITS",
    read_file=read_desi,
    patterns=("coadd-*.fits",),
    frame="observed",
    # As LAMOST's: a network must not find lines of stars in one survey where it saw a straight bridge in the other.
    sky_lines=((5570.0, 5590.0),),
    resolution=2500.0,
    citation="DESI Collaboration 2025, arXiv:2503.14745 (DR1); DESI Collaboration 2024, AJ 168, 58 (EDR); "
    "Guy et al. 2023, AJ 165, 144",
    file_names=coadd_names,
    id_columns=("targetid",),
)

ALL_CAMERAS = replace(
    SURVEY,
    name="desi-brz",
    description="DESI coadds, the three cameras merged (R 2000-5500, 3600-9824 A), FITS",
    read_file=partial(read_desi, cameras=CAMERAS),
)
