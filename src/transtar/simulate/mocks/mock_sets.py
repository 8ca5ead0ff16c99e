"""Mock stars as a training set: drawn, emulated, observed and prepared in memory, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from ...checks import MOST_MOCKS, MOST_SEED, check_real, check_whole
from ...errors import SettingsError, check_keys, shown
from ...preprocess import GridSpectra, Preprocessing, preprocess, require_same
from ...quality import Quality
from ...spectra import SpectrumBatch
from ..emulator.emulator import Emulator
from ..emulator.model_spectra import ModelSpectra
from ..instruments.effects import Effects
from ..instruments.instrument import DESI_B_NOMINAL, LAMOST, LAMOST_MEASURED, LAMOST_NOMINAL, MILES_MEASURED
from ..instruments.observe import observe
from ..stars.population import draw_stars
from ..stars.population_settings import LAMOST_LIKE, MILES_LIKE, Population
from ..stars.truth import spectrum_labels
from .balmer_cores import deepen_cores
from .line_correction import LineCorrection, load_lines

BATCH = 1024
"""Stars made at a time."""

FAR = {"teff": 300.0, "logg": 0.3, "feh": 0.2}
"""A star whose labels lie further than this (K, dex) outside the range of the emulator does not serve for training."""

FIELD = replace(LAMOST_LIKE, poor_share=0.2, giants=(0.35, 0.4, 0.5))
"""What LAMOST sees, with more giants and more metal-poor stars than nature gives."""

LIBRARY = replace(MILES_LIKE, magnitude=(6.0, 14.0))
"""Bright stars that cover the labels, as spectral libraries have them."""

LINE_SPREADS = {
    "lamost": LAMOST_MEASURED,
    "lamost-nominal": LAMOST_NOMINAL,
    "miles": MILES_MEASURED,
    "desi": DESI_B_NOMINAL,
}
"""By name."""

LOOSENING = {"teff": 150.0, "logg": 0.3, "cfe": 0.2, "vmic": 0.15}
"""Scatter about isochrones and abundance relations, which are not to be learnt: K, dex, dex, relative.

Dwarfs get half of it in log g.
"""

NO_NOISE = Effects(noise=False, sky=False, cosmics=False, dead_pixels=False)
"""For a training that draws its noise anew in every epoch, and so never shows the network what noise does to an envelope."""


@dataclass(frozen=True)
class MockSettings:
    """Mock spectra to learn from, as LAMOST would have taken them.

    Parameters
    ----------
    stars : int
        Number drawn; a few per cent lie too far outside the emulator's range and are left out.
    seed : int
        Decides stars and noise.
    line_spreads : tuple of str
        Names in `LINE_SPREADS`; each has an equal share of the stars. A network that has seen several is at home at every
        resolution between them.
    noise : bool
        Noise, sky residuals, cosmic rays and dead pixels, before the continuum is fitted.
    snr : (float, float)
        Range of S/N per pixel, drawn evenly in its logarithm.
    covering : bool
        Draw from `FIELD` (0.6) and `LIBRARY` (0.4), which cover the labels, and not from what LAMOST sees.
    loosened : bool
        Scatter the labels by `LOOSENING`.
    lines : str or None
        Name or file of the `LineCorrection` to apply; None leaves the synthetic lines as they are.
    deeper_cores : float
        Make the Balmer cores of giants deeper, each star's by an amount drawn between 0 and this, in units of the continuum
        (`deepen_cores`); 0 leaves them as they are.

    Raises
    ------
    SettingsError
        If a value is out of range or unknown.
    """

    stars: int = 120_000
    seed: int = 0
    line_spreads: tuple[str, ...] = ("lamost", "miles", "desi")
    noise: bool = True
    snr: tuple[float, float] = (15.0, 300.0)
    covering: bool = True
    loosened: bool = True
    lines: str | None = "lamost-dr10"
    deeper_cores: float = 0.0

    def __post_init__(self) -> None:
        check_sample(self, "mock stars", "line_spreads")
        if not all(isinstance(value, bool) for value in (self.noise, self.covering, self.loosened)):
            raise SettingsError("mock stars: noise, covering and loosened must be true or false")
        check_real(self.deeper_cores, "mock stars: deeper_cores", 0, 1)
        check_keys(self.line_spreads, LINE_SPREADS, "mock stars, line_spreads")
        if not self.line_spreads or self.stars < len(self.line_spreads):
            raise SettingsError("mock stars: needs a line spread, and a star for each")


def check_sample(settings: Any, what: str, listed: str) -> None:
    """Refuse numbers of stars, seeds, S/N and line corrections that mock stars cannot have; lists become tuples.

    Parameters
    ----------
    settings : dataclass
        With the fields `stars`, `seed`, `snr`, `lines`, and `listed`.
    what : str
        Whose settings they are, for messages.
    listed : str
        Name of the field that has names.

    Raises
    ------
    SettingsError
    """
    for name in (listed, "snr"):
        value = getattr(settings, name)
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{what}: {name} must be a list, not {shown(repr(value))}")
        object.__setattr__(settings, name, tuple(value))
    check_whole(settings.stars, f"{what}: stars", 1, MOST_MOCKS)
    check_whole(settings.seed, f"{what}: seed", 0, MOST_SEED)
    ends = [check_real(end, f"{what}: each end of snr, a positive range,") for end in settings.snr]
    if len(ends) != 2 or not 0 < ends[0] <= ends[1]:
        raise SettingsError(f"{what}: snr must be a positive range (low, high), not {settings.snr}")
    if settings.lines is not None and not isinstance(settings.lines, str):
        raise SettingsError(f"{what}: lines must be a name or a file, not '{shown(settings.lines)}'")


def mock_settings(content: dict[str, Any]) -> MockSettings:
    """Settings from plain data, as a study file holds them; an unknown key is a `SettingsError`."""
    check_keys(content, [f.name for f in fields(MockSettings)], "mock stars")
    return MockSettings(**content)


def training_stars(n: int, seed: int = 0, *, covering: bool = True, loosened: bool = True) -> Table:
    """Draw stars to learn from; see `MockSettings`."""
    if covering:
        parts: list[tuple[int, Population]] = [(round(0.6 * n), FIELD), (n - round(0.6 * n), LIBRARY)]
    else:
        parts = [(n, LAMOST_LIKE)]
    # The two populations of one seed, and those of the next seeds, must not share random numbers.
    tables = [draw_stars(number, 2 * seed + i, population) for i, (number, population) in enumerate(parts) if number]
    stars = vstack(tables, metadata_conflicts="silent")
    if loosened:
        normal = np.random.default_rng([seed, 71]).normal(size=(4, len(stars)))
        dwarf = np.where(np.asarray(stars["logg"]) < 3.8, 1.0, 0.5)
        stars["teff"] += LOOSENING["teff"] * normal[0]
        stars["logg"] += LOOSENING["logg"] * dwarf * normal[1]
        stars["cfe"] += LOOSENING["cfe"] * normal[2]
        stars["vmic"] *= np.exp(LOOSENING["vmic"] * normal[3])
    return stars


def mock_batches(
    settings: MockSettings,
    emulator: Emulator,
    preprocessing: Preprocessing | None = None,
    quality: Quality | None = None,
) -> Iterator[tuple[SpectrumBatch, GridSpectra, dict[str, np.ndarray]]]:
    """Make, observe and prepare mock stars, batch by batch.

    Yields
    ------
    batch : SpectrumBatch
        As observed.
    spectra : GridSpectra
        Prepared, corrected by ``settings.lines`` and with ``settings.deeper_cores``.
    labels : dict of str to ndarray
        Those from which the spectra were made.

    Raises
    ------
    MismatchError
        If the line correction was learnt on spectra prepared otherwise.
    """
    preprocessing = preprocessing or Preprocessing()
    lines = corrections(settings.lines, preprocessing)
    share, rest = divmod(settings.stars, len(settings.line_spreads))
    for number, name in enumerate(settings.line_spreads):
        count = share + (number < rest)
        seed = settings.seed * 1000 + number
        stars = training_stars(count, seed, covering=settings.covering, loosened=settings.loosened)
        # Populations may number their stars alike, and each star's noise hangs on its number.
        stars["source_id"] = number * 10**9 + np.arange(1, count + 1, dtype=np.int64)
        stars, labels = within(stars, emulator)
        low, high = np.log(settings.snr)
        snr = np.exp(np.random.default_rng([seed, 72]).uniform(low, high, len(stars)))
        instrument = LAMOST.with_line_spread(LINE_SPREADS[name])
        for start in range(0, len(stars), BATCH):
            rows = slice(start, start + BATCH)
            batch = observe(
                instrument, ModelSpectra.from_emulator(emulator, labels[rows]), stars[rows], seed=seed,
                effects=Effects() if settings.noise else NO_NOISE, snr=snr[rows],
            )  # fmt: skip
            columns = {key: labels[rows, i] for i, key in enumerate(emulator.label_names)}
            spectra = preprocess(batch, preprocessing, quality=quality)
            if lines is not None:
                spectra = replace(spectra, flux=lines.apply(spectra.flux, columns))
            if settings.deeper_cores:
                deeper = deepen_cores(spectra.flux, columns, settings.deeper_cores, preprocessing, [seed, 73, start])
                spectra = replace(spectra, flux=deeper)
            yield batch, spectra, columns


def corrections(name: str | None, preprocessing: Preprocessing) -> LineCorrection | None:
    """The line correction of that name, refused (`MismatchError`) if it was learnt on spectra prepared otherwise."""
    if name is None:
        return None
    lines = load_lines(name)
    require_same(lines.preprocessing, f"line correction {name}", preprocessing, "the mock stars")
    return lines


def within(stars: Table, emulator: Emulator) -> tuple[Table, np.ndarray]:
    """Stars not far outside the emulator's range, and their labels held within it."""
    wanted = spectrum_labels(stars, emulator.label_names)
    labels = emulator.clip(wanted)
    moved = np.abs(wanted - labels)
    kept = np.ones(len(stars), bool)
    for name, limit in FAR.items():
        kept &= moved[:, emulator.label_names.index(name)] <= limit
    return stars[kept], labels[kept]
