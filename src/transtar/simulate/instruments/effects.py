"""What an instrument does to a spectrum, one switch and one random stream for each effect."""

from __future__ import annotations

import zlib
from copy import copy
from dataclasses import dataclass, fields

import numpy as np

from ...errors import SettingsError


@dataclass(frozen=True)
class Effects:
    """Which effects are on. All are, unless switched off.

    Parameters
    ----------
    rotation : bool
        Broadening by the star's rotation.
    lsf : bool
        The instrument's line spread. Without it pixels integrate the model as it is.
    velocity : bool
        The shift by the star's velocity and the survey's error in measuring it.
    extinction : bool
        Interstellar reddening.
    calibration : bool
        Smooth multiplicative errors of throughput and flux calibration.
    sky : bool
        What is left of sky lines.
    noise : bool
        Photon and read noise. Without it the inverse variance is still that of the target S/N.
    cosmics : bool
        Cosmic rays, found ones with their mask bit.
    dead_pixels : bool
        Pixels without information, with their mask bit.
    missing_arms : bool
        Arms lost as a whole.
    """

    rotation: bool = True
    lsf: bool = True
    velocity: bool = True
    extinction: bool = True
    calibration: bool = True
    sky: bool = True
    noise: bool = True
    cosmics: bool = True
    dead_pixels: bool = True
    missing_arms: bool = True

    @classmethod
    def only(cls, *names: str) -> Effects:
        """Nothing but the effects named; none at all without a name.

        Raises
        ------
        SettingsError
            If there is no effect of that name.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise SettingsError(f"no effect {', '.join(unknown)}; known effects: {', '.join(known)}")
        return cls(**{name: name in names for name in known})


EFFECTS = tuple(field.name for field in fields(Effects))


class Streams:
    """Random generators, one for each star and effect, that do not depend on the company a star keeps.

    Philox is keyed by (seed and place, star), its counter starts at the effect (Salmon et al. 2011, SC'11,
    https://doi.org/10.1145/2063384.2063405). So a star gets the same bits in any block, order and subset, and one effect switched
    off leaves the draws of all others alone.

    Parameters
    ----------
    seed : int
    place : str
        Instrument, or instrument and arm.
    ids : ndarray, shape (n,), int64
    visits : ndarray, shape (n,), int64
        Tells repeat visits of a star apart.
    """

    def __init__(self, seed: int, place: str, ids: np.ndarray, visits: np.ndarray) -> None:
        state = np.random.SeedSequence([seed, zlib.crc32(place.encode())]).generate_state(1, np.uint64)[0]
        self._key, self._ids, self._visits = state, ids.astype(np.uint64), visits.astype(np.uint64)

    def __len__(self) -> int:
        return len(self._ids)

    def select(self, rows: slice) -> Streams:
        """The streams of the stars at `rows`."""
        part = copy(self)
        part._ids, part._visits = self._ids[rows], self._visits[rows]
        return part

    def of(self, row: int, effect: str) -> np.random.Generator:
        """The generator of the star at `row` for `effect`."""
        number = EFFECTS.index(effect) if effect in EFFECTS else 1000 + zlib.crc32(effect.encode())
        counter = np.array([0, 0, self._visits[row], number], np.uint64)
        key = np.array([self._key, self._ids[row]], np.uint64)
        return np.random.Generator(np.random.Philox(counter=counter, key=key))

    def normal(self, effect: str, *shape: int) -> np.ndarray:
        """Standard normal numbers, shape (n, *shape)."""
        out = np.empty((len(self), *shape))
        for row in range(len(self)):
            out[row] = self.of(row, effect).standard_normal(shape)
        return out
