"""Spectra of the same stars in two prepared sets, of which one is of Gaia's XP spectra: by exact identifiers."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from ..labels import look_up, read_gaia_ids
from ..labels.join import match_ids
from ..surveys import get_survey, survey_names


def pairs_of(
    lrs_ids: np.ndarray, lrs_good: np.ndarray, xp_ids: np.ndarray, xp_good: np.ndarray
) -> dict[str, np.ndarray]:
    """Rows of spectra of the same stars, each LRS spectrum with the first XP spectrum of its id.

    Parameters
    ----------
    lrs_ids, xp_ids : ndarray of int64
        Negative where unknown.
    lrs_good, xp_good : ndarray of bool
        Which may make a pair.

    Returns
    -------
    dict of str to ndarray of int64, each of shape (n_pairs,)
        'lrs' and 'xp', in the order of the former.
    """
    left, right = np.flatnonzero(lrs_good & (lrs_ids >= 0)), np.flatnonzero(xp_good & (xp_ids >= 0))
    place = match_ids(lrs_ids[left], xp_ids[right])
    return {"lrs": left[place >= 0], "xp": right[place[place >= 0]]}


def gaia_ids_of(
    columns: Mapping[str, np.ndarray], table: str | os.PathLike, chosen: Mapping[str, str] | None = None
) -> np.ndarray:
    """By which identifier Gaia knows the stars of spectra, from a table of their survey.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        ``survey``, ``id``, ``file`` and ``star`` of the spectra.
    table : path
        See `transtar.labels.read_gaia_ids`.
    chosen : mapping of str to str, optional
        Which of its columns is which, where names do not tell.

    Returns
    -------
    ndarray, shape (n,), int64
        -1 where the table has no row, or no identifier of Gaia's.

    Raises
    ------
    InputError
        If the table cannot be read, or none of its rows is of a spectrum here.
    """
    surveys = np.unique(columns["survey"]).tolist()
    known = len(surveys) == 1 and surveys[0] in survey_names()
    names = get_survey(surveys[0]).id_columns if known else None
    read = read_gaia_ids(table, columns=chosen, ids=names)
    return look_up(read, "gaia", file=columns["file"], ids=columns["id"], fill=-1, star=columns.get("star")).astype(
        np.int64
    )
