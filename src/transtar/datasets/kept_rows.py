"""What was made of an embedding, kept beside the set between two runs of a command that may be killed at any moment."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..checks import MOST_WIDTH
from ..errors import InputError, TranstarError
from ..files import lock_folder
from ..telling import tell
from .input_rows import npy_header

KEPT = ".transtar-embed-"
"""How the names of such folders begin."""

ROWS, JOURNAL, LOCK = "rows.npy", "blocks.txt", ".lock"
"""Their files: the rows made so far, a hash of each block of them, and what is locked meanwhile."""


class KeptRows:
    """Rows of an embedding made block by block; a context in which no other process works at them.

    Parameters
    ----------
    parent : Path
        The folder in which they are kept, in one of their own whose name the key makes.
    key : str
        64 hexadecimal digits, of all that decides what the values are.
    n, block : int
        Rows in all, and of each block but the last.

    Attributes
    ----------
    n_done : int
        Rows that are made.
    width : int
        Values of each row; 0 while none is made.

    Raises
    ------
    InputError
        If another process works at them, or something else stands there.
    TranstarError
        If they cannot be written.
    """

    def __init__(self, parent: Path, key: str, n: int, block: int):
        self.folder = parent / f"{KEPT}{key[:32]}"
        self.key, self.n, self.block = key, n, block
        self.n_done = self.width = 0
        self._open: list[BinaryIO] = []
        self._useless = False

    @property
    def path(self) -> Path:
        """The file of the rows, a whole one of numpy once all are made."""
        return self.folder / ROWS

    def __enter__(self) -> KeptRows:
        with self._clear_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.folder, self.folder / ROWS, self.folder / JOURNAL):
            if path.is_symlink():
                raise InputError(f"{path}: is a link where an embedding is kept; move or delete it")
        held, self._lock = lock_folder(self.folder)
        if not held:
            raise InputError(f"{self.folder}: another command makes this embedding; let it end first")
        try:
            with self._clear_errors():
                self._resume()
        except BaseException:
            self.__exit__()
            raise
        return self

    def append(self, values: np.ndarray) -> None:
        """Add the rows of the next block.

        Parameters
        ----------
        values : ndarray, shape (n, width), float32

        Raises
        ------
        InputError
            If there are other numbers of values per star than before, or none, or too many; nothing is kept then.
        TranstarError
            If they cannot be written; the blocks before are kept.
        """
        width = values.shape[1]
        if not 0 < width <= MOST_WIDTH or self.width not in (0, width):
            self.discard()
            expected = self.width or f"1 to {MOST_WIDTH}"
            raise InputError(f"the encoder gives {width} values for a spectrum, expected {expected}")
        content = np.ascontiguousarray(values, dtype="<f4").tobytes()
        rows, journal = self._open
        with self._clear_errors():
            if not self.width:
                rows.write(npy_header(self.n, width))
                journal.write(self._first_line(width))
            rows.write(content)
            rows.flush()
            # Only what is in the file is noted to be there.
            journal.write(hashlib.sha256(content).hexdigest().encode() + b"\n")
            journal.flush()
        self.width = width
        self.n_done += len(values)

    def discard(self) -> None:
        """Have them deleted at the end: they have their place in a set, or nobody can use them."""
        self._useless = True

    def forget(self) -> None:
        """Delete what a killed process left here, if there is anything and no other works at it."""
        if self.folder.is_dir():
            with suppress(TranstarError), self:
                self.discard()

    def __exit__(self, *raised) -> None:
        for file in self._open:
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            # What is not of this class is never deleted.
            names = {entry.name for entry in self.folder.iterdir()}
            if (self._useless or not self.n_done) and names <= {ROWS, JOURNAL, LOCK}:
                shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)

    def _first_line(self, width: int) -> bytes:
        return f"transtar-embedding {self.key} {self.n} {self.block} {width}\n".encode()

    def _resume(self) -> None:
        """Take up what a run before has made, as far as the hashes fit."""
        for name in (ROWS, JOURNAL):
            (self.folder / name).touch()
            self._open.append((self.folder / name).open("r+b"))
        rows, journal = self._open
        # The last line may be half written.
        lines = journal.read().splitlines(keepends=True)
        lines = lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines
        first, hashes = (lines[0], lines[1:]) if lines else (b"", [])
        width = first.split()[-1] if first.strip() else b""
        fits = width.isdigit() and len(width) < 7 and int(width) > 0 and first == self._first_line(int(width))
        if fits:
            self._check(int(width), hashes)
        if (lines and not fits) or self.n_done < min(len(hashes) * self.block, self.n):
            tell(f"{self.folder}: what was kept is damaged from spectrum {self.n_done + 1:,} on, which is made again")
        begun = self.n_done > 0
        self.width = int(width) if begun else 0
        n_blocks = -(-self.n_done // self.block)
        for file, head, size in (
            (rows, npy_header(self.n, self.width), 4 * self.n_done * self.width),
            (journal, self._first_line(self.width), 65 * n_blocks),
        ):
            end = len(head) + size if begun else 0
            file.truncate(end)
            file.seek(end)

    def _check(self, width: int, hashes: list[bytes]) -> None:
        """Count the rows of the blocks that are as they were written."""
        rows, header = self._open[0], npy_header(self.n, width)
        if rows.read(len(header)) != header:
            return
        for expected in hashes:
            size = min(self.block, self.n - self.n_done)
            content = rows.read(4 * size * width)
            digest = hashlib.sha256(content).hexdigest().encode() + b"\n"
            if not size or len(content) < 4 * size * width or digest != expected:
                return
            self.n_done += size

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = (
                "in the way of what is kept" if error.errno == errno.EEXIST else (error.strerror or str(error)).lower()
            )
            kept = f"; {self.n_done:,} spectra are kept, the same command resumes from there" if self.n_done else ""
            raise TranstarError(f"{self.folder}: cannot be written ({why}){kept}") from error
