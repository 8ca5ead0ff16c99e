"""Small made-up surveys in the native formats, whose lines deepen with [Fe/H]: folders with spectra, labels and a split."""

import csv

import numpy as np
from astropy.io import fits

from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.surveys.air import air_to_vacuum
from transtar.trust.second_opinion import load_second_opinion

from .surveys.fits_files import GRID, lamost_header

FIRST_ID = 2**62 + 1


def line_spectrum(rest_wave, feh, slope=0.0):
    """Lines every 23 A on a sloping continuum; deeper for greater [Fe/H]."""
    depth = 0.1 + 0.5 * (feh + 2.5) / 3
    phase = (rest_wave - 4000) % 23 - 11.5
    return (1 + slope * (rest_wave - 4800) / 1000) * (1 - depth * np.exp(-0.5 * (phase / 2.0) ** 2))


def star_spectrum(rest_wave, feh, slope=0.0):
    """A dwarf as the emulator has it, which the gate takes for a star, on a sloping continuum."""
    labels = np.array([[5600 + 900 * slope, 4.4, feh, 0.1, 1.0, 0.0]])
    lines = np.interp(rest_wave, BLUE.wave, load_second_opinion().spectra(labels)[0], left=1.0, right=1.0)
    return (1 + slope * (rest_wave - 4800) / 1000) * lines


def made_lamost(folder, n=24, seed=0, ivar=1e3, **changes):
    """Write `n` LAMOST tables into folder/spectra, and folder/labels.csv; returns the folder."""
    (folder / "spectra").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        feh, slope, redshift = rng.uniform(-2, 0.4), rng.uniform(-0.3, 0.3), rng.uniform(-5e-4, 5e-4)
        flux = line_spectrum(GRID / (1 + redshift), feh, slope) * (1 + rng.standard_normal(len(GRID)) / np.sqrt(ivar))
        values = {"FLUX": flux, "IVAR": np.full(len(GRID), ivar), "WAVELENGTH": GRID, "ANDMASK": np.zeros(len(GRID))}
        columns = [fits.Column(k, f"{len(GRID)}E", array=np.array([v])) for k, v in values.items()]
        table = fits.BinTableHDU.from_columns(columns, name="COADD")
        given = {"OBSID": FIRST_ID + i, "DESIG": f"LAMOST J{i:06d}", "Z": redshift, "SNRG": 30.0, **changes}
        file = f"spec-{i:03d}.fits"
        fits.HDUList([fits.PrimaryHDU(header=lamost_header(**given)), table]).writeto(folder / "spectra" / file)
        rows.append({"file": file, "obsid": FIRST_ID + i, "feh": round(feh, 4), "teff": round(5000 + 900 * slope, 1)})
    write_csv(folder / "labels.csv", rows)
    return folder


def made_miles(folder, n=24, seed=1, spectrum=line_spectrum):
    """Write `n` MILES spectra into folder/spectra, folder/labels.csv and folder/split.csv; returns the folder."""
    (folder / "spectra").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    wave = air_to_vacuum(3540.5 + 0.9 * np.arange(4300))
    rows, split = [], []
    for i in range(n):
        feh, slope = rng.uniform(-2, 0.4), rng.uniform(-0.3, 0.3)
        flux = spectrum(wave, feh, slope) * (1 + 0.01 * rng.standard_normal(len(wave)))
        header = fits.Header([("TPLLIB", "MILES"), ("CRPIX1", 1), ("CRVAL1", 3540.5), ("CDELT1", 0.9)])
        file = f"MILES_res2.50_star_m{i + 1:04d}V.fits"
        fits.PrimaryHDU(flux.astype(np.float32), header).writeto(folder / "spectra" / file)
        rows.append({"file": file, "miles_id": i + 1, "feh": round(feh, 4), "teff": round(5000 + 900 * slope, 1)})
        split.append({"file": file, "split": "test" if i % 3 == 2 else "pool"})
    write_csv(folder / "labels.csv", rows)
    write_csv(folder / "split.csv", split)
    return folder


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def velocity_of(redshift):
    return SPEED_OF_LIGHT * redshift
