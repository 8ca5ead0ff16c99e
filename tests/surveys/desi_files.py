"""Small DESI coadds and redrock files, written with astropy so that they owe nothing to the reader under test."""

import numpy as np
from astropy.io import fits

FIRST = 2**62 + 1
WAVES = {"B": 3600 + 0.8 * np.arange(2751), "R": 5760 + 0.8 * np.arange(2326), "Z": 7520 + 0.8 * np.arange(2881)}


def table(name, header=(), **columns):
    """A binary table; text gets the width that it needs, everything else its own type."""
    formats = {"i8": "K", "i4": "J", "f8": "D", "f4": "E"}
    described = [
        fits.Column(
            key,
            f"{max(1, values.dtype.itemsize // 4)}A" if values.dtype.kind == "U" else formats[values.dtype.str[1:]],
            array=values,
        )
        for key, values in columns.items()
    ]
    return fits.BinTableHDU.from_columns(described, name=name, header=fits.Header(list(header)))


def arms(n, cameras="BRZ", seed=0, pixels=None):
    """Flux, ivar and mask of each camera; masked pixels have no ivar."""
    rng = np.random.default_rng(seed)
    found = {}
    for camera in cameras:
        wave = WAVES[camera][:pixels]
        shape = (n, len(wave))
        mask = np.where(rng.random(shape) < 0.02, 2 ** rng.integers(0, 11, shape), 0).astype(np.int32)
        ivar = np.where(mask, 0, rng.uniform(0.5, 2, shape)).astype(np.float32)
        found[camera] = (wave, rng.normal(10, 1, shape).astype(np.float32), ivar, mask)
    return found


def fibermap(n, **changes):
    columns = {
        "TARGETID": FIRST + np.arange(n),
        "COADD_FIBERSTATUS": np.zeros(n, np.int32),
        "TARGET_RA": np.linspace(10, 20, n),
        "TARGET_DEC": np.linspace(-5, 5, n),
        "OBJTYPE": np.full(n, "TGT"),
        "REF_ID": 7000 + np.arange(n),
        "REF_CAT": np.full(n, "G2"),
        **changes,
    }
    return {name: np.asarray(values) for name, values in columns.items() if values is not None}


def coadd_hdus(n=4, cameras=None, targets=None, resolution=True, **header):
    """HDUs of a healpix coadd, in the order of genuine ones."""
    cameras = cameras or arms(n)
    targets = fibermap(n) if targets is None else targets
    primary = {"SPGRP": "healpix", "HPXPIXEL": 9850, "SURVEY": "main", "PROGRAM": "bright", **header}
    cards = [(key, value) for key, value in primary.items() if value is not None]
    # In genuine files the program of FIBERMAP is that of the target list, which may be another.
    hdus = [
        fits.PrimaryHDU(header=fits.Header(cards)),
        table("FIBERMAP", [("PROGRAM", "tertiary38")], **targets),
        table("EXP_FIBERMAP", TARGETID=targets["TARGETID"]),
    ]
    for camera, (wave, flux, ivar, mask) in cameras.items():
        for kind, values in (("WAVELENGTH", wave), ("FLUX", flux), ("IVAR", ivar), ("MASK", mask)):
            hdus.append(fits.ImageHDU(values, name=f"{camera}_{kind}"))
        if resolution:
            spread = np.zeros((len(flux), 11, len(wave)), np.float32)
            spread[:, 5] = 1 + np.arange(len(flux))[:, None]
            hdus.append(fits.ImageHDU(spread, name=f"{camera}_RESOLUTION"))
    scores = {f"MEDIAN_COADD_SNR_{camera}": np.arange(len(a[1])) + 0.5 for camera, a in cameras.items()}
    return fits.HDUList([*hdus, table("SCORES", TARGETID=targets["TARGETID"], **scores)])


def write_coadd(path, *arguments, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    coadd_hdus(*arguments, **options).writeto(path)
    return path


def write_redrock(path, ids, **changes):
    n = len(ids)
    columns = {
        "TARGETID": np.asarray(ids),
        "Z": np.full(n, 1e-4),
        "ZWARN": np.zeros(n, np.int64),
        "SPECTYPE": np.full(n, "STAR"),
        "SUBTYPE": np.full(n, "G"),
        **changes,
    }
    columns = {name: np.asarray(values) for name, values in columns.items() if values is not None}
    fits.HDUList([fits.PrimaryHDU(), table("REDSHIFTS", **columns)]).writeto(path)
    return path
