"""The instruments of the mock surveys: pixels, line spread, throughput and noise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import SettingsError
from ...surveys.air import air_to_vacuum
from .lsf import LineSpread


@dataclass(frozen=True)
class SignalToNoise:
    """Distribution of the S/N per pixel: a log-normal one about a line in magnitude.

    Parameters
    ----------
    median : float
        At magnitude `at`.
    slope : float
        Of log10(S/N) with magnitude.
    at : float
        Magnitude.
    scatter : float
        Standard deviation of log10(S/N) at one magnitude.
    limits : (float, float)
        The values drawn are held within.
    band : str
        Column of the stars' table.
    window : (float, float)
        Angstrom; the S/N is the median over the pixels in it. Within the range of the emulator, so that nothing in the blue
        depends on what is made of the rest.
    """

    median: float
    slope: float
    at: float
    scatter: float
    limits: tuple[float, float]
    band: str = "g_mag"
    window: tuple[float, float] = (4500.0, 5500.0)

    def draw(self, magnitude: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """S/N for stars of `magnitude`, given standard normal numbers."""
        log_snr = np.log10(self.median) + self.slope * (np.asarray(magnitude) - self.at) + self.scatter * normal
        return np.clip(10**log_snr, *self.limits)


@dataclass(frozen=True)
class Arm:
    """One spectrograph arm, or one spectrum that a survey has already joined.

    Parameters
    ----------
    name : str
    wave : tuple of float
        First pixel, step, and number of pixels; see `scale`.
    line_spread : LineSpread
    scale : {'log10', 'linear', 'linear-air'}
        Whether first pixel and step are in dex or Angstrom, of vacuum or air.
    throughput : tuple of (float, float)
        Relative efficiency at wavelengths in Angstrom.
    snr_window : (float, float) or None
        Where the S/N of this arm is set; None takes that of the instrument.
    """

    name: str
    wave: tuple[float, float, int]
    line_spread: LineSpread
    scale: str = "linear"
    throughput: tuple[tuple[float, float], ...] = ((3000.0, 1.0),)
    snr_window: tuple[float, float] | None = None

    @property
    def pixels(self) -> np.ndarray:
        """Vacuum wavelengths in Angstrom, float64."""
        start, step, size = self.wave
        values = start + step * np.arange(size)
        if self.scale == "log10":
            return 10.0**values
        return air_to_vacuum(values) if self.scale == "linear-air" else values


@dataclass(frozen=True)
class Instrument:
    """An instrument and what its survey's reduction leaves.

    Parameters
    ----------
    name : str
        Name of the survey.
    arms : tuple of Arm
    snr : SignalToNoise
    background : float
        Electrons per pixel of sky and read noise together, against which the star's photons stand.
    calibration : float
        Standard deviation of the first of the smooth modes by which the flux calibration errs, relative.
    velocity_error : float
        Error in km/s of the velocity that the survey reports; for a survey in the rest frame, of the shift to it.
    sky_residual : float
        Standard deviation of the residual at a sky line of strength 1, in units of the noise there.
    cosmics : float
        Mean number of cosmic rays in an arm of 4000 pixels.
    cosmics_found : float
        Share of them that are masked.
    dead_fraction : float
        Share of pixels without information.
    missing_arm_rate : float
        Share of stars that lack an arm.
    frame, medium : str
        As in `SpectrumBatch`.
    gives_ivar : bool
    dereddened : bool
        The survey corrects for extinction.
    bits : dict of str to int
        Mask bits for 'dead', 'cosmic' and 'missing'.
    """

    name: str
    arms: tuple[Arm, ...]
    snr: SignalToNoise
    background: float = 300.0
    calibration: float = 0.05
    velocity_error: float = 3.0
    sky_residual: float = 2.0
    cosmics: float = 2.0
    cosmics_found: float = 0.8
    dead_fraction: float = 0.01
    missing_arm_rate: float = 0.0
    frame: str = "observed"
    medium: str = "vacuum"
    gives_ivar: bool = True
    dereddened: bool = False
    bits: dict[str, int] = field(default_factory=lambda: {"dead": 1, "cosmic": 4, "missing": 32}, hash=False)

    def arm(self, name: str | None = None) -> Arm:
        """The arm of that name, or the first.

        Raises
        ------
        SettingsError
            If there is none.
        """
        for arm in self.arms:
            if name in (None, arm.name):
                return arm
        raise SettingsError(f"{self.name}: no arm '{name}'; arms: {', '.join(arm.name for arm in self.arms)}")

    def with_line_spread(self, line_spread: LineSpread) -> Instrument:
        """The same instrument with another line spread in its first arm."""
        return replace(self, arms=(replace(self.arms[0], line_spread=line_spread), *self.arms[1:]))


LAMOST_NOMINAL = LineSpread((5000.0,), (1800.0,))
"""Zhao et al. 2012, RAA 12, 723."""

LAMOST_MEASURED = LineSpread((4200.0, 4600.0, 5000.0, 5400.0, 7000.0), (1100.0, 1350.0, 1450.0, 1500.0, 1800.0))
"""What fits real spectra of DR10 best when synthetic ones are smoothed, up to 5400 A; nominal in the red."""

MILES_MEASURED = LineSpread((5000.0,), (2.8,), "angstrom")
"""What fits the real spectra best when synthetic ones are smoothed; Falcon-Barroso et al. 2011, A&A 532, A95, give 2.51 A."""

DESI_B_NOMINAL = LineSpread((3600.0, 5800.0), (2000.0, 3200.0))
"""DESI Collaboration 2022, AJ 164, 207, table 1; the resolution matrix of a genuine coadd is about 12 % sharper."""

LAMOST = Instrument(
    "lamost",
    (
        Arm(
            "all", (3.5682, 1e-4, 3909), LAMOST_MEASURED, "log10",
            ((3700, 0.15), (4000, 0.45), (4800, 0.95), (5400, 0.85), (5700, 0.35), (5900, 0.35), (6200, 0.9),
             (7500, 1.0), (8500, 0.7), (9100, 0.4)),
        ),
    ),
    SignalToNoise(45.0, -0.10, 15.0, 0.36, (5.0, 500.0)),
    calibration=0.08, velocity_error=5.0, sky_residual=2.0, cosmics=3.0, dead_fraction=0.02,
    bits={"dead": 1 << 0, "cosmic": 1 << 0, "missing": 1 << 5},
)  # fmt: skip
"""LAMOST low resolution. S/N as among 926 spectra of DR10; flux calibration good to 10 % (Du et al. 2016, ApJS 227, 27);
velocities to 5 km/s (Luo et al. 2015, RAA 15, 1095); bits BADCCD and NODATA of the and-mask."""

DESI = Instrument(
    "desi",
    (
        Arm("b", (3600.0, 0.8, 2751), DESI_B_NOMINAL, throughput=((3600, 0.25), (4000, 0.6), (4600, 0.95), (5800, 0.9))),
        Arm("r", (5760.0, 0.8, 2326), LineSpread((5760.0, 7620.0), (3200.0, 4100.0)),
            throughput=((5760, 0.8), (6500, 1.0), (7620, 0.9)), snr_window=(6000.0, 7000.0)),
        Arm("z", (7520.0, 0.8, 2881), LineSpread((7520.0, 9824.0), (4100.0, 5000.0)),
            throughput=((7520, 0.8), (8500, 1.0), (9824, 0.5)), snr_window=(8000.0, 9000.0)),
    ),
    SignalToNoise(15.0, -0.28, 17.5, 0.10, (0.5, 300.0), band="r_mag"),
    background=200.0, calibration=0.02, velocity_error=1.5, sky_residual=1.0, cosmics=2.0, cosmics_found=0.95,
    dead_fraction=0.003, missing_arm_rate=0.01,
    bits={"dead": 1 << 1, "cosmic": 1 << 2, "missing": 1 << 8},
)  # fmt: skip
"""DESI, bright time (Cooper et al. 2023, ApJ 947, 37; Guy et al. 2023, AJ 165, 144); bits ALLBADPIX, COSMIC and NODATA."""

MILES = Instrument(
    "miles",
    (Arm("all", (3540.5, 0.9, 4300), MILES_MEASURED, "linear-air", ((3500, 0.3), (4200, 0.8), (5000, 1.0), (7500, 0.8))),),
    SignalToNoise(150.0, -0.02, 8.0, 0.18, (40.0, 500.0)),
    background=50.0, calibration=0.015, velocity_error=8.0, sky_residual=0.0, cosmics=0.1, dead_fraction=0.0,
    frame="rest", medium="air", gives_ivar=False, dereddened=True,
)  # fmt: skip
"""The MILES library (Sanchez-Blazquez et al. 2006, MNRAS 371, 703): rest frame, air, corrected for reddening."""

INSTRUMENTS = {instrument.name: instrument for instrument in (LAMOST, DESI, MILES)}
"""By name of the survey; Gaia XP is made by `xp.observe_xp`."""

SKY_LINES = {
    # Vacuum Angstrom and strength: [O I], Na I, Hg I of city lights (Osterbrock et al. 1996, PASP 108, 277).
    4047.7: 0.3, 4359.6: 0.5, 5462.3: 0.5, 5578.9: 6.0, 5891.6: 2.0, 5897.6: 1.5, 6302.0: 3.0, 6365.5: 1.5, 6865.0: 0.8,
    # The strongest of the OH forest, coarsely.
    7278.0: 1.5, 7318.0: 1.5, 7343.0: 1.5, 7718.0: 1.5, 7753.0: 1.5, 7796.0: 1.5, 7823.0: 1.5, 7915.0: 2.0, 7966.0: 2.0,
    7995.0: 2.0, 8027.0: 2.0, 8347.0: 2.0, 8402.0: 2.0, 8433.0: 2.0, 8468.0: 2.0, 8507.0: 2.0, 8780.0: 2.0, 8830.0: 2.0,
    8888.0: 2.0, 8922.0: 2.0, 8961.0: 2.0, 9378.0: 2.5, 9442.0: 2.5, 9479.0: 2.5, 9505.0: 2.5, 9570.0: 2.5,
}  # fmt: skip
