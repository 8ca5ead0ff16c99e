"""Which rows of a catalog or set are of one star, told batch by batch in little memory."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np


class Repeats:
    """Tell rows of stars that another row of the same table is of.

    Two rows are of one star if they are of one survey and have the same `star`; rows without one, if they have the same `id`. A
    row with neither repeats nothing. Of each star 8 bytes are kept, a hash of its name: among 10 million stars the odds that two
    share one are 1 in 400,000.

    Examples
    --------
    >>> repeats = Repeats()
    >>> first, second = ({"survey": np.array("desi"), "id": np.array(ids)} for ids in ([1, 2, 2], [3, 1]))
    >>> repeats.mark(first).tolist(), repeats.mark(second).tolist()
    ([False, True, True], [False, True])
    >>> repeats.came_again, repeats.mark_late(first).tolist()
    (True, [True, False, False])
    """

    def __init__(self) -> None:
        # Sorted, each at least twice as long as the next: a star is moved some twenty times in all, however many batches come.
        self._runs: list[np.ndarray] = []
        self._again: list[np.ndarray] = []

    def mark(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Mark rows of the next batch.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (n,)
            `survey` and `id` (int64, -1 for none); `star` may be missing.

        Returns
        -------
        ndarray, shape (n,), bool
            True where another row of this batch, or one of a batch before, is of the same star.
        """
        hashes, known = _hashes(columns)
        repeated = np.zeros(len(known), bool)
        values, inverse, counts = np.unique(hashes[known], return_inverse=True, return_counts=True)
        seen = np.zeros(len(values), bool)
        for run in self._runs:
            seen |= run[np.minimum(np.searchsorted(run, values), len(run) - 1)] == values
        repeated[known] = (seen | (counts > 1))[inverse]
        if seen.any():
            self._again.append(values[seen])
        if not seen.all():
            self._runs.append(values[~seen])
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
        return repeated

    @property
    def came_again(self) -> bool:
        """Whether a batch held a star of a batch before, whose rows `mark` could not know to be repeated."""
        return bool(self._again)

    def mark_late(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Mark rows of any part of what `mark` was given, now that it has seen it all.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (n,)
            As in `mark`.

        Returns
        -------
        ndarray, shape (n,), bool
            True for all rows of stars that came in more than one batch; `mark` has marked all of them but the first.
        """
        hashes, known = _hashes(columns)
        return known & np.isin(hashes, np.concatenate(self._again)) if self._again else np.zeros(len(known), bool)


def star_numbers(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Number the stars of a table, as `Repeats` tells them.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        As in `Repeats.mark`.

    Returns
    -------
    ndarray, shape (n,), int64
        From 0, in the order in which stars come first; a row without a name is a star of its own.

    Examples
    --------
    >>> star_numbers({"survey": np.array("desi"), "id": np.array([7, -1, 5, 7, -1])}).tolist()
    [0, 1, 2, 0, 3]
    """
    hashes, known = _hashes(columns)
    first = np.arange(len(known))
    _, where, inverse = np.unique(hashes[known], return_index=True, return_inverse=True)
    first[known] = np.flatnonzero(known)[where][inverse]
    return np.unique(first, return_inverse=True)[1].astype(np.int64)


def _hashes(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Of each row a hash of survey and star, uint64, and whether the row has a name to be known by."""
    ids = np.asarray(columns["id"])
    surveys = np.broadcast_to(np.asarray(columns["survey"]).astype(str), ids.shape)
    stars = np.asarray(columns["star"]).astype(str) if "star" in columns else np.full(len(ids), "")
    known = (stars != "") | (ids != -1)
    hashes = np.zeros(len(ids), np.uint64)
    for row, (survey, star, number) in enumerate(zip(surveys.tolist(), stars.tolist(), ids.tolist(), strict=True)):
        # A null character is in no name, so that a star named 12 is not the spectrum of id 12.
        name = f"{survey}\0{star}" if star else f"{survey}\0\0{number}"
        hashes[row] = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    return hashes, known
