"""Tiny native files, made with astropy so that they owe nothing to the reader under test."""

import numpy as np
from astropy.io import fits

GRID = 10 ** (3.5682 + 1e-4 * np.arange(3909))


def lamost_header(**changes):
    header = {
        "TELESCOP": "LAMOST",
        "DATA_V": "LAMOST DR10",
        "OBSID": 2**62 + 1,
        "DESIG": "LAMOST J025857.16+072841.3",
        "RA": 44.7,
        "DEC": 7.4,
        "VACUUM": True,
        "CLASS": "STAR",
        "SUBCLASS": "G3",
        "Z": -0.0003,
        "SNRG": 13.07,
        **changes,
    }
    return fits.Header([(key, value) for key, value in header.items() if value is not None])


def spectrum(n):
    generator = np.random.default_rng(n)
    return generator.uniform(1, 2, n), generator.uniform(1, 2, n), (generator.random(n) < 0.1).astype(float)


def write_lamost_image(path, wave=GRID, third=None, **changes):
    flux, ivar, andmask = spectrum(len(wave))
    image = np.array([flux, ivar, wave if third is None else third, andmask, andmask], dtype=np.float32)
    header = lamost_header(COEFF0=round(float(np.log10(wave[0])), 6), COEFF1=1e-4, **changes)
    fits.PrimaryHDU(image, header).writeto(path, overwrite=True)
    return path


def write_lamost_table(path, wave=GRID, flux=None, **changes):
    random_flux, ivar, andmask = spectrum(len(wave))
    values = (
        ("FLUX", random_flux if flux is None else flux),
        ("IVAR", ivar),
        ("WAVELENGTH", wave),
        ("ANDMASK", andmask),
    )
    columns = [fits.Column(name, f"{len(wave)}E", array=np.array([value])) for name, value in values]
    table = fits.BinTableHDU.from_columns(columns, name="COADD")
    fits.HDUList([fits.PrimaryHDU(header=lamost_header(**changes)), table]).writeto(path, overwrite=True)
    return path


def write_miles(path, n=4300, **changes):
    header = {"TPLLIB": "MILES", "CRPIX1": 1, "CRVAL1": 3540.5, "CDELT1": 0.9, **changes}
    flux = spectrum(n)[0]
    flux[:3] = 0, np.nan, -1
    fits.PrimaryHDU(flux, fits.Header([(k, v) for k, v in header.items() if v is not None])).writeto(path)
    return path
