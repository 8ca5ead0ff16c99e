"""What the witnesses say of a spectrum, and which flags follow.

The rule: where the gate is sure that a spectrum is of no ordinary star, there is no label (HOT_STAR or OUT_OF_DOMAIN). Where it
is in doubt and the second opinion speaks against the label, too, the label is bad (MISFIT). Where one of them alone does, it is
a warning (DOUBTFUL). Where neither can be asked, because spectra are prepared otherwise, that is said (NO_GATE).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ..flags import Flag
from ..preprocess import Preprocessing
from ..quality import Quality
from .gate import HOT_KINDS, KINDS, ORDINARY, Gate, load_gate
from .second_opinion import SecondOpinion, load_second_opinion

MOST_SHIFT, SHIFT_ERRORS = 45.0, 5.0
"""km/s, and multiples of the error of the fit, by which lines must be off those of the twin for the second opinion to speak
against the label: half of what air taken for vacuum makes, and several times the errors of velocities of surveys."""


@dataclass(frozen=True)
class Verdict:
    """What is said of spectra.

    Parameters
    ----------
    flags : ndarray, shape (n,), int32
        HOT_STAR, OUT_OF_DOMAIN, MISFIT, DOUBTFUL and NO_GATE.
    no_label : ndarray, shape (n,), bool
        Where the gate is sure, and no label is to be had.
    strange : ndarray, shape (n,), float32
        Share that the gate gives to all kinds but ordinary stars; NaN where it could not be asked.
    misfit : ndarray, shape (n,), float32
        See `Opinion`; NaN where there is none.
    """

    flags: np.ndarray
    no_label: np.ndarray
    strange: np.ndarray
    misfit: np.ndarray


@dataclass(frozen=True)
class Witnesses:
    """Those that can be asked.

    Parameters
    ----------
    gate : Gate or None
    second : SecondOpinion or None
        None where spectra are prepared otherwise than they take them.
    waived : collection of str
        Kinds of the gate that models of a run have learnt from, and that are not held against a star.
    """

    gate: Gate | None
    second: SecondOpinion | None
    waived: Collection[str] = ()

    def judge(
        self,
        flux: np.ndarray,
        ivar: np.ndarray | None,
        labels: Mapping[str, np.ndarray],
        quality: Quality | None = None,
    ) -> Verdict:
        """Judge spectra and the labels predicted of them.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Prepared as the models of the labels want it.
        ivar : ndarray, shape (n, n_grid), or None
            Inverse variance, 0 where bad.
        labels : mapping of str to ndarray, shape (n,)
            Predicted labels; those that are not of the emulator do not matter.
        quality : Quality, optional
            Thresholds; the defaults if not given.

        Returns
        -------
        Verdict
        """
        quality, n = quality or Quality(), len(flux)
        nothing = np.full(n, np.nan)
        flags = np.zeros(n, np.int32)
        strange, sure, doubtful, against = nothing, *np.zeros((3, n), bool)
        if self.gate is None and self.second is None:
            flags |= Flag.NO_GATE
        if self.gate is not None:
            shares = self.gate.shares(flux)
            kind = np.argmax(np.where(np.isfinite(shares), shares, 0)[:, 1:], axis=1) + 1
            strange = 1 - shares[:, KINDS.index(ORDINARY)]
            waived = np.isin(kind, [KINDS.index(name) for name in self.waived]) & (strange > quality.doubt)
            flags[waived] |= Flag.NO_GATE
            sure = (strange > quality.gate) & ~waived
            doubtful = (strange > quality.doubt) & ~sure & ~waived
            hot = np.isin(kind, [KINDS.index(name) for name in HOT_KINDS])
            flags[sure & hot] |= Flag.HOT_STAR
            flags[sure & ~hot] |= Flag.OUT_OF_DOMAIN
        misfit = nothing
        if self.second is not None:
            opinion = self.second.look(flux, ivar, labels)
            misfit = opinion.misfit
            shift = np.abs(opinion.velocity)
            against = (misfit > quality.misfit) | ((shift > MOST_SHIFT) & (shift > SHIFT_ERRORS * opinion.velocity_err))
        flags[doubtful & against] |= Flag.MISFIT
        flags[(doubtful ^ against) & ~sure] |= Flag.DOUBTFUL
        return Verdict(flags, sure, strange.astype(np.float32), misfit.astype(np.float32))


def witnesses_for(preprocessing: Preprocessing | None, waived: Collection[str] = ()) -> Witnesses:
    """The witnesses that can be asked about spectra prepared in a way.

    Parameters
    ----------
    preprocessing : Preprocessing or None
        None where what models take is no prepared spectrum.
    waived : collection of str
        See `Witnesses`.

    Returns
    -------
    Witnesses

    Raises
    ------
    InputError
        If the files of one are damaged.
    """
    gate, second = load_gate(), load_second_opinion()
    return Witnesses(
        gate if preprocessing == gate.preprocessing else None,
        second if preprocessing == second.preprocessing else None,
        waived,
    )
