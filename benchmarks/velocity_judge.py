"""How good measured velocities are: real stars of known velocity, and mock ones, class by class.

Run from the project root as ``python -m benchmarks.velocity --judge``; a table for each kind of spectra that is at hand.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np

from benchmarks.common import DATA
from transtar.grids import SPEED_OF_LIGHT
from transtar.spectra import SpectrumBatch
from transtar.surveys import get_survey, stream
from transtar.velocity import MeasuredVelocities, measure_velocities

SHIFTS = (-287.0, -203.0, -131.0, -64.0, -19.0, 33.0, 88.0, 147.0, 219.0, 295.0)
"""km/s given to spectra of known velocity."""


def mad(values: np.ndarray) -> float:
    """1.48 times the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else np.nan


def read_csv(path: Path) -> dict[str, np.ndarray]:
    """Columns of a table with a header, numbers where all of a column are."""
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        try:
            columns[name] = np.array([float(value) if value else np.nan for value in values])
        except ValueError:
            columns[name] = np.array(values)
    return columns


def spectra_of(survey: str, paths: Path) -> SpectrumBatch:
    """All spectra of a survey below a folder that share the wavelengths of the first batch."""
    from transtar.spectra import concatenate

    batches = list(stream(get_survey(survey), paths, batch_size=4096))
    same = [b for b in batches if len(b.wave) == len(batches[0].wave) and np.array_equal(b.wave, batches[0].wave)]
    return concatenate(same)


def shifted(batch: SpectrumBatch, velocity: float) -> SpectrumBatch:
    """The batch as it would look from a star that recedes by `velocity` (km/s) more."""
    return SpectrumBatch(
        batch.wave * (1 + velocity / SPEED_OF_LIGHT), batch.flux, batch.ivar, batch.mask, batch.ids, batch.survey,
        frame="observed", medium=batch.medium, meta=batch.meta,
    )  # fmt: skip


def measure_shifted(
    batch: SpectrumBatch, resolution: float, known: np.ndarray
) -> tuple[np.ndarray, MeasuredVelocities]:
    """Shift each star by one of `SHIFTS`, measure, and take shift and known velocity (km/s) off again."""
    difference = np.full(len(batch), np.nan)
    parts: dict[str, np.ndarray] = {}
    for k, shift in enumerate(SHIFTS):
        rows = np.arange(k, len(batch), len(SHIFTS))
        measured = measure_velocities(shifted(batch.select(rows), shift), resolution=resolution)
        true = SPEED_OF_LIGHT * ((1 + shift / SPEED_OF_LIGHT) * (1 + known[rows] / SPEED_OF_LIGHT) - 1)
        difference[rows] = measured.velocity - true
        for name in ("velocity", "error", "good", "peak", "template"):
            values = getattr(measured, name)
            parts.setdefault(name, np.zeros(len(batch), values.dtype))[rows] = values
    return difference, MeasuredVelocities(**parts)


def line(name: str, difference: np.ndarray, measured: MeasuredVelocities, rows: np.ndarray, zero: float = 0.0) -> None:
    """Print what one class of stars gives."""
    good = rows & measured.good
    values = difference[good] - zero
    if not rows.any():
        return
    pull = values / measured.error[good]
    print(
        f"  {name:28s} n {rows.sum():5d}  good {good.sum() / rows.sum():5.1%}  bias {np.median(values):+6.2f}  "
        f"1.48 MAD {mad(values):6.2f}  beyond 30 km/s {np.mean(np.abs(values) > 30):5.1%}  "
        f"median error {np.median(measured.error[good]):5.2f}  within error {np.mean(np.abs(pull) < 1):5.1%}"
        if good.any() else f"  {name:28s} n {rows.sum():5d}  good  0.0%",
        flush=True,
    )  # fmt: skip


def labels_of(batch: SpectrumBatch, table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of a table in the order of the batch, by file name."""
    place = {name: i for i, name in enumerate(table["file"])}
    rows = np.array([place.get(name, -1) for name in batch.meta["file"]])
    return {
        name: np.where(rows >= 0, column[rows], np.nan if column.dtype.kind == "f" else "")
        for name, column in table.items()
    }


def judge_miles(split: str | None) -> None:
    """The MILES library, which is at rest but for what its authors left."""
    batch = spectra_of("miles", DATA / "miles" / "spectra")
    table = labels_of(batch, read_csv(DATA / "miles" / "labels.csv"))
    part = labels_of(batch, read_csv(DATA / "miles" / "split.csv"))["split"]
    difference, measured = measure_shifted(batch, 2000.0, np.zeros(len(batch)))
    teff, feh = table["teff"], table["feh"]
    core = (teff > 4000) & (teff < 7000) & ((part == split) if split else (part != ""))
    zero = float(np.median(difference[core & measured.good]))
    print(f"MILES ({split or 'all'}), zero point {zero:+.2f} km/s (bars: bias below 3, 1.48 MAD below 4.5)")
    line("4000-7000 K", difference, measured, core, zero)
    for low, high in ((4000, 4750), (4750, 5500), (5500, 6250), (6250, 7000)):
        line(f"{low}-{high} K", difference, measured, core & (teff >= low) & (teff < high), zero)
    line("[Fe/H] < -1", difference, measured, core & (feh < -1), zero)
    line("[Fe/H] >= -1", difference, measured, core & (feh >= -1), zero)
    line("below 4000 K", difference, measured, teff < 4000, zero)
    for low, high in ((7000, 8000), (8000, 10000), (10000, 15000), (15000, 50000)):
        line(f"{low}-{high} K", difference, measured, (teff >= low) & (teff < high), zero)


def judge_lamost(half: str | None) -> None:
    """LAMOST DR10 against the velocities of its own pipeline; tuned on one half, judged on the other."""
    batch = spectra_of("lamost", DATA / "lamost_dr10" / "spectra")
    table = labels_of(batch, read_csv(DATA / "lamost_dr10" / "labels.csv"))
    difference, measured = measure_shifted(batch, 1800.0, SPEED_OF_LIGHT * table["z"])
    part = np.ones(len(batch), bool) if half is None else (batch.ids % 2 == (half == "test"))
    snr, teff, feh = table["snrg"], table["teff"], table["feh"]
    bright = part & (snr > 20)
    zero = float(np.median(difference[bright & measured.good]))
    print(
        f"LAMOST ({half or 'all'}), zero point {zero:+.2f} km/s against the header (bar: 1.48 MAD below 2.5 at S/N > 20)"
    )
    line("S/N > 20", difference, measured, bright, zero)
    line("all", difference, measured, part, zero)
    line("S/N < 20", difference, measured, part & (snr <= 20), zero)
    for low, high in ((3500, 4750), (4750, 5500), (5500, 6250), (6250, 8000)):
        line(f"S/N > 20, {low}-{high} K", difference, measured, bright & (teff >= low) & (teff < high), zero)
    line("S/N > 20, [Fe/H] < -1", difference, measured, bright & (feh < -1), zero)


def judge_desi(folder: Path) -> None:
    """Mock DESI against the truth of its universe."""
    import pyarrow.parquet as pq

    batch = spectra_of("desi", folder / "desi")
    truth = pq.read_table(folder / "truth.parquet").to_pydict()
    place = {int(name): i for i, name in enumerate(truth["source_id"])}
    rows = np.array([place[int(name.split()[-1])] for name in batch.meta["star"]])
    true = np.array(truth["radial_velocity"])[rows]
    start = time.process_time()
    measured = measure_velocities(
        batch, sky_lines=get_survey("desi").sky_lines, resolution=get_survey("desi").resolution
    )
    seconds = time.process_time() - start
    difference, everything = measured.velocity - true, np.ones(len(batch), bool)
    snr = batch.meta["snr_survey"]
    inside = (batch.wave > 4000) & (batch.wave < 5600)
    with np.errstate(invalid="ignore"):
        snr = np.nanmedian(np.where(batch.mask, np.nan, batch.flux * np.sqrt(batch.ivar))[:, inside], axis=1)
    print(
        f"mock DESI, {len(batch)} spectra, {1e3 * seconds / len(batch):.2f} ms of CPU each (bars: scatter below 3 at S/N > 20, "
        "68 +- 5 % within their error)"
    )
    line("all", difference, measured, everything)
    for low, high in ((0, 5), (5, 10), (10, 20), (20, 40), (40, 1000)):
        line(f"S/N {low}-{high}", difference, measured, (snr >= low) & (snr < high))
    line("S/N > 20", difference, measured, snr > 20)
    teff, feh = np.array(truth["teff"])[rows], np.array(truth["feh"])[rows]
    for low, high in ((3000, 4500), (4500, 5500), (5500, 6250), (6250, 9000)):
        line(f"S/N > 20, {low}-{high} K", difference, measured, (snr > 20) & (teff >= low) & (teff < high))
    line("S/N > 20, [Fe/H] < -1.5", difference, measured, (snr > 20) & (feh < -1.5))


def redrock(kind: str, n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (n_pixels,) in Angstrom and `n` spectra (n, n_pixels) drawn from one kind of redrock's templates."""
    from astropy.io import fits

    with fits.open(DATA / "redrock_templates" / f"rrtemplate-STAR-{kind}-v0.1.fits") as parts:
        basis, coefficients = parts["BASIS_VECTORS"], parts["ARCHETYPE_COEFF"].data
        header = basis.header
        wave = header["CRVAL1"] + header["CDELT1"] * np.arange(basis.data.shape[1])
        return wave, coefficients[random.choice(len(coefficients), n, replace=False)] @ basis.data


def redrock_batch(
    kind: str, n: int, snr: float, resolution: float = 1800.0, seed: int = 0
) -> tuple[SpectrumBatch, np.ndarray]:
    """Templates of redrock on LAMOST's pixels with noise, and their velocities (n,) in km/s."""
    from scipy.ndimage import gaussian_filter1d

    random = np.random.default_rng(seed)
    wave, flux = redrock(kind, n, random)
    fine = np.log(wave[0]) + 2e-5 * np.arange(int(np.log(wave[-1] / wave[0]) / 2e-5))
    pixels = 10 ** (3.5682 + 1e-4 * np.arange(3909))
    velocity = random.uniform(-300, 300, n)
    out = np.empty((n, len(pixels)), np.float32)
    for i in range(n):
        smooth = gaussian_filter1d(np.interp(fine, np.log(wave), flux[i]), 1 / resolution / 2.3548 / 2e-5)
        out[i] = np.interp(np.log(pixels) - np.log1p(velocity[i] / SPEED_OF_LIGHT), fine, smooth)
    level = np.median(out[:, 1000:2000], axis=1, keepdims=True)
    sigma = np.abs(out) ** 0.5 * level**0.5 / snr
    out = (out + sigma * random.standard_normal(out.shape)).astype(np.float32)
    meta = {"file": np.arange(n).astype(str), "velocity": np.full(n, np.nan)}
    ivar = (1 / np.maximum(sigma, 1e-6 * level) ** 2).astype(np.float32)
    return SpectrumBatch(pixels, out, ivar, np.zeros(out.shape, bool), np.arange(n), "made", meta=meta), velocity


def judge_redrock() -> None:
    """Templates of DESI's redrock, none of which went into ours: hot stars, dwarfs too cool, white dwarfs."""
    for kind in ("A", "B", "M", "WD"):
        print(f"redrock {kind}")
        for snr in (10.0, 30.0, 100.0):
            batch, velocity = redrock_batch(kind, 200, snr)
            measured = measure_velocities(batch, resolution=1800.0)
            line(f"S/N {snr:g}", measured.velocity - velocity, measured, np.ones(len(batch), bool))


def judge(mock: Path | None, part: str | None) -> None:
    """Print all tables that the data at hand allow."""
    if (DATA / "miles").is_dir():
        judge_miles(part)
        judge_lamost(part)
        judge_redrock()
    else:
        print(f"no real spectra in {DATA}: set TRANSTAR_DATA to their folder")
    if mock is not None:
        judge_desi(mock)
