"""Which rows of a catalog are to be scored: the test stars of a split, those with reference labels in given ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isinf

import numpy as np

from ..errors import InputError, SettingsError, shown
from ..glossary import LABELS
from ..labels import compound_key, look_up

NOT_TEST = "no test star of the split"
"""Reason for which rows are left out that a split does not name as test stars."""


def parse_ranges(texts: Iterable[str], option: str = "--range") -> dict[str, tuple[float, float]]:
    """Turn texts such as ``teff=4000:7000`` into numbers; an end may be left out.

    Parameters
    ----------
    texts : iterable of str
    option : str
        For messages.

    Returns
    -------
    dict of str to (float, float)
        By label; both ends belong to the range.

    Raises
    ------
    SettingsError
        If a name is no label or comes twice, or a text is no range.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, _, given = text.partition("=")
        if name not in LABELS:
            raise SettingsError(f"{option}: '{shown(name)}' is no label; those are {', '.join(LABELS)}")
        if name in ranges:
            raise SettingsError(f"{option}: {name} is given twice")
        low, colon, high = given.partition(":")
        try:
            ends = float(low or -inf), float(high or inf)
        except ValueError:
            ends = inf, -inf
        # Not a number is in no order with anything.
        if not (colon and ends[0] <= ends[1]):
            raise SettingsError(
                f"{option}: {name} takes LOW:HIGH, such as 4000:7000, 4000: or :7000, not '{shown(given)}'"
            )
        ranges[name] = ends
    return ranges


def why_not_asked(
    catalog: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    split: Mapping[str, np.ndarray] | None = None,
    within: Mapping[str, tuple[float, float]] | None = None,
) -> np.ndarray:
    """Why each row of a catalog is not to be scored, the empty string where it is.

    Parameters
    ----------
    catalog : mapping of str to ndarray, shape (n,)
    truth : mapping of str to ndarray, shape (n,), float64
        Reference labels of its rows, not a number where there is none.
    split : mapping of str to ndarray, optional
        As from `transtar.labels.read_split`.
    within : mapping of str to (float, float), optional
        For a reference label the range, ends included; a row without that label is outside.

    Returns
    -------
    ndarray, shape (n,), object

    Raises
    ------
    InputError
        If the label table has no such label, or no row of the catalog is a test star.
    """
    n = len(next(iter(catalog.values())))
    why = np.full(n, "", dtype=object)
    for name, (low, high) in (within or {}).items():
        if name not in truth:
            raise InputError(f"the label table has no {name} to choose stars by; it has {', '.join(truth)}")
        outside = ~((truth[name] >= low) & (truth[name] <= high))
        ends = ":".join("" if isinf(end) else f"{end:g}" for end in (low, high))
        why[outside] = f"reference {name} not in {ends}"
    if split is not None:
        part = look_up(
            split,
            "split",
            file=np.asarray(catalog.get("file", np.full(n, ""))),
            ids=np.asarray(catalog.get("id", np.full(n, -1))),
            fill="",
            star=catalog.get("star"),
            keys=compound_key(catalog),
        )
        if not (part == "test").any():
            raise InputError("the split names no row of the catalog as a test star")
        why[part != "test"] = NOT_TEST
    return why
