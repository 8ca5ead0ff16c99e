"""Choosing the stars of a prepared set that a model may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..encoder_notes import Note
from ..errors import InputError
from .inputs import FLUX
from .prepared import PreparedSet, star_names, usable
from .split import nested_subsets
from .stars import Stars


def pool_stars(
    prepared: PreparedSet,
    labels: Sequence[str],
    n: int | None = None,
    seed: int = 0,
    input: str = FLUX.name,
    encoders: Mapping[str, Note] | None = None,
    spectra: bool = False,
) -> tuple[Stars, str]:
    """The stars of a set that a model may see: of the pool, with no flag against them, with a label and the input.

    Parameters
    ----------
    prepared : PreparedSet
    labels : sequence of str
    n : int, optional
        Take only so many of them, the regimes in proportion; subsets of one seed are nested.
    seed : int
    input : str
        As in `PreparedSet.input`.
    encoders : mapping of str to dict, optional
        As in `PreparedSet.input`: for a model that is to learn from the stars, its `encoders`.
    spectra : bool
        As in `PreparedSet.stars`.

    Returns
    -------
    stars : Stars
    counts : str
        One line: how many spectra there are to learn from, and how many were left out for which reason.

    Raises
    ------
    InputError
        If there are fewer than `n`, or none, or the set lacks a label or the input.
    MismatchError
        If the set has the input from another encoder.
    """
    pool = prepared.columns["split"] == "pool"
    good = usable(prepared)
    labelled = np.isfinite(prepared.targets(labels)).any(axis=1)
    rows = np.flatnonzero(pool & good & labelled)
    reasons = {
        "not in the pool": int((~pool).sum()),
        "flagged bad": int((pool & ~good).sum()),
        "without label": int((pool & good & ~labelled).sum()),
    }
    part = prepared.select(rows)
    if input != FLUX.name and len(part):
        part = part.gathered(input, encoders)
        known = np.isfinite(part.input(input, encoders)).all(axis=1)
        reasons[f"without the input '{input}'"] = int((~known).sum())
        part = part.select(known)
    left_out = "left out: " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    counts = f"{len(part)} spectra to learn from; {left_out}"
    if not len(part):
        raise InputError(f"the prepared set has no star to learn from ({left_out})")
    if n is None:
        return part.stars(labels, slice(None), input, encoders, spectra), counts
    try:
        chosen = nested_subsets(star_names(part.columns), part.columns.get("feh"), [n], seed)[n]
    except InputError as error:
        raise InputError(f"{error} ({counts})") from None
    return part.stars(labels, chosen, input, encoders, spectra), counts
