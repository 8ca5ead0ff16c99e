"""What could not be used and why, told once for all files of which the same is to be said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

MOST_KINDS = 20
"""Different messages that are told; of more, nobody reads the rest."""


class Skipped:
    """Files that could not be used, as a context whose end tells of them, whether it ends well or not.

    Parameters
    ----------
    say : callable
        Takes one line.

    Examples
    --------
    >>> with Skipped(print) as skipped:
    ...     skipped.add("a.csv", "a.csv: row 7 is no number")
    ...     skipped.add("b.csv", "b.csv: row 9 is no number")
    skipped 2 files, the first: a.csv: row 7 is no number
    """

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._first: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Skipped:
        return self

    def __exit__(self, *_) -> None:
        self.tell()

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, path: str | Path, message: str) -> None:
        """Note one file; `message` may begin with its path, and names it in any case."""
        # Numbers and the file's own name are what messages of one kind differ in.
        kind = re.sub(r"[0-9]+", "0", message.replace(str(path), "").replace(Path(path).name or "\0", ""))
        self._first.setdefault(kind, message)
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def tell(self) -> None:
        """Tell what has been noted, the most frequent first, and forget it."""
        kinds = sorted(self._counts, key=lambda kind: -self._counts[kind])
        for kind in kinds[:MOST_KINDS]:
            count = self._counts[kind]
            self._say(
                f"skipped {count} files, the first: {self._first[kind]}"
                if count > 1
                else f"skipped: {self._first[kind]}"
            )
        if rest := sum(self._counts[kind] for kind in kinds[MOST_KINDS:]):
            self._say(f"skipped {rest} more files, for {len(kinds) - MOST_KINDS} more reasons")
        if len(self) > 1 and len(kinds) > 1:
            self._say(f"{len(self)} files could not be used")
        self._first, self._counts = {}, {}
