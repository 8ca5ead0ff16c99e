"""Embeddings of the spectra of a prepared set, read block by block: those that it keeps, or else made for the moment."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from ..checks import MOST_WIDTH
from ..encoder_notes import require_same_encoder
from ..errors import InputError, SettingsError, TranstarError
from ..preprocess import Preprocessing
from ..telling import tell
from .embed import make_embeddings
from .gathering import embed
from .input_files import InputFile, noted_encoders
from .making import encoder_is_native, made_by
from .set_files import REMEDY, describe_set
from .set_reader import SetReader, columns_of, read_stars
from .sides import Side, Sides

Progress = Callable[[int, int], None]


class SetVectors:
    """Embeddings of all spectra of a set: those that the encoder has put into it, or else made when they are first asked for.

    Those made now wait in an unnamed temporary file, which goes with the block, so that memory does not grow with the spectra.

    Parameters
    ----------
    folder : Path
        Of the set.
    sides : Sides
    progress : callable, optional
        Called with the number of spectra done, and of all, where embeddings are made.

    Attributes
    ----------
    description : dict
        Of the set, as `describe_set` gives it.
    side : Side
    stars : pyarrow.Table
        What is known of each spectrum.

    Raises
    ------
    InputError
        If there is no set, or it is damaged.
    MismatchError
        If it was prepared otherwise than the encoder takes its spectra, or has its input from another encoder.
    SettingsError
        If the set lacks the input and the encoder takes native spectra.
    """

    def __init__(self, folder: Path, sides: Sides, progress: Progress | None = None):
        self.folder, self._progress = folder, progress
        self.description, self.side = describe_side(folder, sides)
        self.stars = read_stars(folder, self.description)
        if not len(self):
            raise InputError(f"{folder}: has no spectra")
        # Of no row: whether the columns are of the right kind is said before the work.
        columns_of(folder, self.stars.slice(0, 0), self.description)
        self._values = _kept(folder, self.description, self.side)
        self._stack = ExitStack()

    def __enter__(self) -> SetVectors:
        return self

    def __exit__(self, *raised) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return self.stars.num_rows

    def rows(self, start: int, stop: int) -> np.ndarray:
        """The values that are compared of the spectra from `start` to before `stop`, shape (n, n_compared), float32.

        Raises
        ------
        InputError
            If they are made now, and the set is damaged, the encoder fails, or no spectrum has a flux.
        TranstarError
            If the temporary file cannot be written.
        """
        if self._values is None:
            self._values = self._make()
        return self.side.compared(self._values(start, min(stop, len(self))))

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """All of them, in parts of so many rows."""
        for start in range(0, len(self), size):
            yield self.rows(start, start + size)

    def columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What is known of the spectra at rows, shape (n,), int64."""
        return columns_of(self.folder, self.stars.take(pa.array(rows)), self.description)

    def _make(self) -> Callable[[int, int], np.ndarray]:
        scratch = self._stack.enter_context(_Scratch(len(self)))
        _tell_made(self.folder, self.side, f"its {len(self):,} spectra are")
        make_embeddings(scratch, self.side.encoder, self.folder, self._progress)
        return scratch.values


def describe_side(folder: Path, sides: Sides) -> tuple[dict[str, Any], Side]:
    """The description of a set, and the side of a model that takes its spectra.

    Raises
    ------
    InputError, MismatchError
        As `SetVectors`.
    """
    description = describe_set(folder)
    preprocessing = Preprocessing.from_stored(description["preprocessing"], str(folder))
    side = sides.of(preprocessing, str(folder))
    made_by(side.encoder, preprocessing, str(folder))
    return description, side


def row_vector(folder: Path, sides: Sides, row: int) -> tuple[np.ndarray, Side]:
    """The values that are compared of one spectrum of a set, as `SetVectors` has them; no others are made.

    Parameters
    ----------
    folder : Path
        Of the set.
    sides : Sides
    row : int
        Of the spectrum, from 0; the set has it.

    Returns
    -------
    ndarray, shape (1, n_compared), float32
    Side
        Whose encoder makes it.

    Raises
    ------
    InputError, MismatchError, SettingsError
        As `SetVectors`.
    """
    description, side = describe_side(folder, sides)
    values = _kept(folder, description, side)
    if values is not None:
        return side.compared(values(row, row + 1)), side
    _tell_made(folder, side, f"row {row} is")
    chosen = next(SetReader(folder).batches(rows=(row, row + 1)), None)
    if chosen is None:
        raise InputError(f"{folder}: has no row {row} any more; give the command again")
    return side.compared(embed(side.encoder, chosen.grid_spectra(), chosen.preprocessing)), side


def _tell_made(folder: Path, side: Side, what: str) -> None:
    name = side.encoder.name
    if encoder_is_native(side.encoder):
        raise SettingsError(
            f"{folder}: lacks the input '{name}', whose encoder takes spectra as they are read from files; let prepare make it: "
            f"transtar prepare --input {name}"
        )
    tell(
        f"{folder}: lacks the input '{name}'; {what} encoded for this search alone; transtar embed keeps it in the set"
    )


def _kept(folder: Path, description: Mapping, side: Side) -> Callable[[int, int], np.ndarray] | None:
    """Embeddings that the set has of the encoder; None if it has none of that name.

    Raises
    ------
    InputError
        If they are damaged.
    MismatchError
        If another encoder made them, or nobody noted which.
    SettingsError
        If there are none, and the encoder takes native spectra.
    """
    from ..encoders import note_of

    inputs = description.get("inputs", {})
    wanted = note_of(side.encoder)
    name = wanted["name"]
    if name not in inputs:
        if encoder_is_native(side.encoder):
            raise SettingsError(
                f"{folder}: lacks the input '{name}', whose encoder takes spectra as they are read from files; let prepare make "
                f"it: transtar prepare --input {name}"
            )
        return None
    noted = inputs[name]
    note = noted_encoders(inputs, folder, REMEDY).get(name)
    remedy = f"make it again with the one wanted: transtar embed --replace --model {wanted['place'] or name}"
    require_same_encoder(wanted, "the search", note, str(folder), remedy)
    path = folder / noted["file"]
    InputFile(path, noted["sha256"], (description["n_spectra"], noted["n_inputs"]))()

    def values(start: int, stop: int) -> np.ndarray:
        # Mapped anew for each block: the pages of a mapping that stays would add up in memory.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[start:stop])

    return values


class _Scratch:
    """Rows of an embedding in an unnamed file, of which nothing stays, however the process ends."""

    def __init__(self, n: int):
        self.n, self.n_done, self.width = n, 0, 0

    def __enter__(self) -> _Scratch:
        with self._clear_errors():
            # Rows are read back by their place, so nothing may wait in a buffer.
            self._file: BinaryIO = tempfile.TemporaryFile(buffering=0)
        return self

    def __exit__(self, *raised) -> None:
        self._file.close()

    def append(self, values: np.ndarray) -> None:
        """Add the rows of the next block.

        Raises
        ------
        InputError
            If there are other numbers of values per star than before, or none, or too many.
        TranstarError
            If they cannot be written.
        """
        width = values.shape[1]
        if not 0 < width <= MOST_WIDTH or self.width not in (0, width):
            raise InputError(
                f"the encoder gives {width} values for a spectrum, expected {self.width or f'1 to {MOST_WIDTH}'}"
            )
        with self._clear_errors():
            np.ascontiguousarray(values, np.float32).tofile(self._file)
        self.width, self.n_done = width, self.n_done + len(values)

    def discard(self) -> None:
        """Nothing to do: they go in any case."""

    def values(self, start: int, stop: int) -> np.ndarray:
        """Rows from `start` to before `stop`, shape (n, width), float32."""
        self._file.seek(4 * start * self.width)
        return np.fromfile(self._file, np.float32, (stop - start) * self.width).reshape(-1, self.width)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TranstarError(
                f"{tempfile.gettempdir()}: embeddings cannot be kept here for the search ({error.strerror or error}); let "
                "transtar embed keep them in the set, or name another folder by TMPDIR"
            ) from error
