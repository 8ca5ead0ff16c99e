"""Batches of spectra, or of pairs of spectra, from prepared sets that need not fit into memory.

The order of an epoch follows from seed and epoch alone: of every batch each process takes its share, whatever their number.
Row groups of the files are shuffled, so many of them are read as make a window of `shuffle_rows` spectra, and those are
shuffled among each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Event

import numpy as np
import torch

from ...datasets import validation_split
from ...datasets.ahead import ahead
from ...datasets.star_pairs import pairs_of
from ...errors import InputError, SettingsError
from ...networks.masking import seeds_of_rows
from .large_settings import EncoderTraining
from .objectives import STAR
from .ranks import Ranks
from .spectra_source import SpectraSource

_AHEAD = 2
"""Batches read ahead while the network works."""


@dataclass(frozen=True)
class Part:
    """Some spectra, or pairs, as an `Objective` takes them.

    Parameters
    ----------
    arrays : dict of str to Tensor, shape (n, ...)
        Spectra of shape (n, n_grid), float32, and what else the stream has beside them.
    row_seeds : Tensor, shape (n,), int64
    """

    arrays: dict[str, torch.Tensor]
    row_seeds: torch.Tensor

    def __len__(self) -> int:
        return len(self.row_seeds)


class Stream:
    """Rows of one or several sources that belong together, such as LRS and XP spectra of the same stars.

    Parameters
    ----------
    sources : mapping of str to SpectraSource
        By the names under which an objective takes them. The first decides which rows are read together.
    rows : mapping of str to ndarray, shape (n,), int
        Which spectra of each make the rows of the stream.
    settings : EncoderTraining
        Batch size, seed, what is held out, and `shuffle_rows`.

    Attributes
    ----------
    train, validation : ndarray, int
        Rows of the stream that train, and that are held out and looked at.
    n_held_out : int
        Rows held out, looked at or not.
    beside : dict of str to Tensor, shape (n, ...)
        What else a part has of its rows, by name: held in memory by whoever put it here, a row for each of the stream.

    Raises
    ------
    InputError
        If there is nothing to learn from, or less than a batch.
    SettingsError
        If a batch cannot be shared evenly by the processes.
    """

    def __init__(self, sources: Mapping[str, SpectraSource], rows: Mapping[str, np.ndarray], settings: EncoderTraining):
        self.sources, self.rows, self.settings = dict(sources), dict(rows), settings
        self.first = next(iter(self.sources))
        self.beside: dict[str, torch.Tensor] = {}
        lead = self.sources[self.first]
        n = len(self.rows[self.first])
        if not n:
            raise InputError(f"{lead.names}: no spectrum to learn from ({self.told()})")
        held_out = validation_split(self._stars(), None, settings.validation_fraction, settings.seed)
        self.train, self.validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        self.n_held_out = len(self.validation)
        size = settings.batch_size
        self.validation = self.validation[self._looked_at()]
        if len(self.train) < size:
            raise InputError(
                f"{lead.names}: {len(self.train):,} spectra to learn from are fewer than a batch of {size:,} ({self.told()}); "
                "set a smaller batch size"
            )
        self._share_of_batch(Ranks.current())
        for source in self.sources.values():
            if len(source) <= settings.shuffle_rows:
                source.hold()

    def _stars(self) -> np.ndarray:
        """Name of the star of each row: those of one name are held out together."""
        return self.sources[self.first].columns["star"][self.rows[self.first]]

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of an epoch; what is left over has its turn in another epoch."""
        return len(self.train) // self.settings.batch_size

    def told(self) -> str:
        """What there is to learn from, and what was left out for which reason, in one line."""
        parts = []
        for source in self.sources.values():
            left_out = ", ".join(f"{count:,} {reason}" for reason, count in source.left_out.items() if count)
            parts.append(
                f"{source.names}: {int(source.good.sum()):,} of {len(source):,} spectra usable"
                + (f" (left out: {left_out})" if left_out else "")
            )
        return "; ".join(parts)

    def describe(self) -> dict:
        """What decides the batches, as plain data: a training goes on only with the same."""
        return {
            name: {
                "sets": list(source.hashes),
                "preprocessing": source.preprocessing.hash,
                "rows": len(self.rows[name]),
            }
            for name, source in self.sources.items()
        }

    def seen(self) -> dict[str, np.ndarray]:
        """The stars that train or are looked at, as `Encoder.trained_on`; of the first source."""
        return self.seen_of(self.first)

    def seen_of(self, name: str) -> dict[str, np.ndarray]:
        """As `seen`, of the source of that name."""
        parts = [
            self.sources[name].seen(self.rows[name][rows], role)
            for rows, role in ((self.train, "train"), (self.validation, "validation"))
        ]
        return {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}

    def batches(self, epoch: int, start: int = 0) -> Iterator[list[Part]]:
        """The share that this process has of the batches of an epoch, each in `accumulate` parts.

        Parameters
        ----------
        epoch : int
            From 1.
        start : int
            Batches of the epoch that are done already.

        Yields
        ------
        list of Part
        """
        stop = Event()
        yield from ahead(self._batches(epoch, start, Ranks.current()), _AHEAD, stop)

    def _batches(self, epoch: int, start: int, ranks: Ranks) -> Iterator[list[Part]]:
        size, parts = self.settings.batch_size, self.settings.accumulate
        mine = self._share_of_batch(ranks)
        n_done, end, place = start * size, self.steps_per_epoch * size, 0
        waiting = np.empty(0, np.int64)
        # Sources in memory are read batch by batch.
        read = {name: np.empty((0, one.n_grid), np.float32) for name, one in self.sources.items() if not one.is_held}
        for window in self._windows(epoch):
            here, place = np.arange(place, place + len(window)), place + len(window)
            # Of what is read, only this process's rows stay in memory.
            wanted = window[(here >= n_done) & (here < end) & mine[here % size]]
            if not len(wanted):
                continue
            waiting = np.concatenate([waiting, wanted])
            for name, rest in read.items():
                new = self.sources[name].read(self.rows[name][wanted])
                read[name] = np.concatenate([rest, new]) if len(rest) else new
            share = int(mine.sum())
            whole = len(waiting) // share * share
            for low in range(0, whole, share):
                rows = waiting[low : low + share]
                arrays = {
                    name: read[name][low : low + share] if name in read else source.read(self.rows[name][rows])
                    for name, source in self.sources.items()
                }
                yield self._parts(arrays, rows, epoch, parts)
            waiting = waiting[whole:]
            read = {name: array[whole:].copy() for name, array in read.items()}

    def _looked_at(self) -> np.ndarray:
        """Which of the held-out rows: whole parts of a batch, so that all processes have as many, or one part that is not."""
        part, most, size = (
            self.settings.batch_size // self.settings.accumulate,
            self.settings.validation_batches,
            self.n_held_out,
        )
        n = size // part * part if size >= part else size // Ranks.current().size * Ranks.current().size
        if most is not None:
            n = min(n, most * self.settings.batch_size)
        if size and not n:
            raise InputError(
                f"{size} spectra held out for validation cannot be shared by {Ranks.current().size} processes; set a larger "
                "validation_fraction, or 0"
            )
        return np.sort(np.random.default_rng([self.settings.seed, 1]).permutation(size)[:n])

    def held_out(self) -> Iterator[Part]:
        """The share that this process has of the validation spectra, in parts as large as in training; they never change."""
        ranks, part = Ranks.current(), self.settings.batch_size // self.settings.accumulate
        for low in range(0, len(self.validation), part):
            together = self.validation[low : low + part]
            share = len(together) // ranks.size
            rows = together[ranks.rank * share : (ranks.rank + 1) * share]
            yield self._parts(self._read(rows), rows, 0, 1)[0]

    def _share_of_batch(self, ranks: Ranks) -> np.ndarray:
        """Which places of a batch are this process's: every part that passes at once is divided among all, in their order."""
        size, parts = self.settings.batch_size, self.settings.accumulate
        if size % (ranks.size * parts):
            raise SettingsError(
                f"a batch of {size} cannot be shared by {ranks.size} processes in {parts} parts each; set a batch size that is a "
                f"multiple of {ranks.size * parts}"
            )
        return np.arange(size) % (size // parts) // (size // parts // ranks.size) == ranks.rank

    def _windows(self, epoch: int) -> Iterator[np.ndarray]:
        """Training rows in the order of an epoch, a window at a time."""
        generator = np.random.default_rng([self.settings.seed, 2, epoch])
        lead = self.sources[self.first]
        starts = np.array([group.start for group in lead.groups])
        block = np.searchsorted(starts, self.rows[self.first][self.train], side="right") - 1
        order = generator.permutation(len(starts))
        sizes = np.bincount(block, minlength=len(starts))[order]
        ranked = np.empty(len(starts), np.int64)
        ranked[order] = np.arange(len(starts))
        by_block = self.train[np.argsort(ranked[block], kind="stable")]
        low = high = 0
        for size in [*sizes.tolist(), None]:
            if size is None or (high - low + size > self.settings.shuffle_rows and high > low):
                yield generator.permutation(by_block[low:high])
                low = high
            high += size or 0

    def _read(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: source.read(self.rows[name][rows]) for name, source in self.sources.items()}

    def _parts(self, arrays: dict[str, np.ndarray], rows: np.ndarray, epoch: int, parts: int) -> list[Part]:
        seeds = seeds_of_rows(self.settings.seed, epoch, torch.from_numpy(rows))
        size = len(rows) // parts
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        tensors |= {name: tensor[torch.from_numpy(rows)] for name, tensor in self.beside.items()}
        return [
            Part(
                {name: tensor[low : low + size] for name, tensor in tensors.items()},
                seeds[low : low + size],
            )
            for low in range(0, size * parts, size)
        ]


class SetStream(Stream):
    """The spectra of prepared sets that can be learnt from, by the name 'flux'.

    Parameters
    ----------
    source : SpectraSource
        See `open_source`.
    settings : EncoderTraining
    """

    def __init__(self, source: SpectraSource, settings: EncoderTraining):
        super().__init__({"flux": source}, {"flux": np.flatnonzero(source.good)}, settings)


class PairedStream(Stream):
    """Pairs of an LRS and an XP spectrum of the same star, by the names 'lrs' and 'xp'; ids are compared exactly.

    A survey's own identifiers are seldom those of Gaia, which XP spectra have: `xp_ids` says what Gaia calls its stars.

    Of a star with several spectra each LRS spectrum makes a pair with its first XP spectrum.

    Parameters
    ----------
    lrs, xp : SpectraSource
    settings : EncoderTraining
    xp_ids : ndarray, shape (n_lrs,), int64, optional
        Of the XP spectrum that belongs to each LRS spectrum, negative where there is none; by default the LRS spectrum's own id.

    Attributes
    ----------
    n_pairs, n_without_xp, n_without_lrs : int
        Pairs, and usable spectra of either side that have no partner.

    Raises
    ------
    InputError
        If no star is in both.
    """

    def __init__(
        self, lrs: SpectraSource, xp: SpectraSource, settings: EncoderTraining, xp_ids: np.ndarray | None = None
    ):
        if xp_ids is not None and len(xp_ids) != len(lrs):
            raise InputError(f"{len(xp_ids)} identifiers of XP spectra for {len(lrs)} LRS spectra; give one for each")
        rows = pairs_of(lrs.columns["id"] if xp_ids is None else xp_ids, lrs.good, xp.columns["id"], xp.good)
        self.n_pairs = len(rows["lrs"])
        self.n_without_xp = int(lrs.good.sum()) - self.n_pairs
        self.n_without_lrs = int(xp.good.sum()) - len(np.unique(rows["xp"]))
        if not self.n_pairs:
            raise InputError(
                f"{lrs.names} and {xp.names}: no star is in both with a usable spectrum (ids are compared exactly); name a "
                "table with the survey's identifiers and Gaia's (--pairs)"
            )
        super().__init__({"lrs": lrs, "xp": xp}, rows, settings)
        _, stars = np.unique(self._stars(), return_inverse=True)
        self.beside[STAR] = torch.from_numpy(stars.astype(np.int64))

    def _stars(self) -> np.ndarray:
        """As of `Stream`; LRS spectra that share an XP spectrum are of one star, whatever their survey calls it."""
        _, first, star = np.unique(self.rows["xp"], return_index=True, return_inverse=True)
        return super()._stars()[first][star]

    def describe(self) -> dict:
        """See `Stream.describe`; also which spectra make pairs, which a table may say, and which are of one star."""
        rows = [*(self.rows[name] for name in self.sources), self.beside[STAR].numpy()]
        digest = hashlib.sha256(np.stack(rows).astype("<i8").tobytes())
        return super().describe() | {"pairs": digest.hexdigest()}

    def told(self) -> str:
        """Pairs, what has no partner, and what was left out, in one line."""
        return (
            f"{self.n_pairs:,} pairs; {self.n_without_xp:,} LRS spectra are without an XP spectrum, {self.n_without_lrs:,} XP "
            f"spectra without an LRS spectrum; {super().told()}"
        )
