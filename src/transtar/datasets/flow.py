"""The flow: from the files of a survey to batches on the wavelength grid, and an account of what became of all of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import Any

from ..labels import StarList
from ..preprocess import GridSpectra, Preprocessing, too_fast
from ..quality import Quality
from ..spectra import SpectrumBatch
from ..surveys import Survey, stream_files
from ..tables import Choice
from .ahead import ahead
from .defaults import fast_line
from .gridding import grid_spectra
from .velocity_source import VelocitySource


@dataclass
class Report:
    """What became of the spectra of a run.

    Parameters
    ----------
    n_spectra : int
    skipped : list of (str, str)
        Files that could not be used, and why.
    left_out : dict of str to int
        Rows of the files that are no spectra of targets, by reason.
    flags : dict of str to int
        How many spectra carry each flag.
    lines : list of str
        What lists of stars, velocities and labels had for the spectra, each a line to show.
    velocities : dict of str to int
        Counts of the source of velocities, if there is one beside the survey.
    n_fast : int
        Spectra whose velocity is refused.
    """

    n_spectra: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    velocities: dict[str, int] = field(default_factory=dict)
    n_fast: int = 0


@dataclass(frozen=True)
class Flow:
    """Files of a survey and all that is to be done to their spectra; `transtar.datasets.open_flow` makes one.

    Parameters
    ----------
    survey : Survey
        As its files are read with what the user says of them.
    files : sequence of Path
        In the order in which they are read.
    settings : Preprocessing
    quality : Quality
    stars : StarList, optional
        Spectra of other stars are passed over.
    velocities : callable, optional
        Makes what gives velocities in place of the survey's, anew for each run through the files.
    columns : mapping of str to str
        Which column is which; a `Choice` is refused in the end if nothing had use for it.
    tables : sequence of path
        That were read, for messages.
    absent : sequence of (Path, str)
        Files of stars that are wanted and not there, and a line on each.
    batch_size : int
    threads : int, optional
    """

    survey: Survey
    files: Sequence[Path]
    settings: Preprocessing
    quality: Quality = field(default_factory=Quality)
    stars: StarList | None = None
    velocities: Callable[[], VelocitySource] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Any] = ()
    absent: Sequence[tuple[Path, str]] = ()
    batch_size: int = 512
    threads: int | None = None

    def batches(
        self,
        report: Report | None = None,
        *,
        on_skip: Callable[[str, str], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
        n_ahead: int = 1,
        whole: bool = True,
    ) -> Generator[tuple[SpectrumBatch, GridSpectra], None, None]:
        """Read the files and bring their spectra to the grid, a batch at a time.

        Parameters
        ----------
        report : Report, optional
            Is told what becomes of the spectra; all but `flags`.
        on_skip : callable, optional
            Called with file and reason for each file that cannot be used. The run goes on without it.
        progress : callable, optional
            Called with the number of spectra done and the number of files.
        n_ahead : int
            Batches that a thread reads while one is worked on; 0 to read and work in turns. The results are the same.
        whole : bool
            These are all files of a run; of a part of them stars, velocities and columns may rightly have no use.

        Yields
        ------
        SpectrumBatch, GridSpectra
            Row by row the same spectra.

        Raises
        ------
        InputError
            In the end, if the stars or the velocities are those of no spectrum. If there is no spectrum at all, that is for the
            caller to say.
        SettingsError
            In the end, if nothing had use for a chosen column.
        """
        report = Report() if report is None else report

        def skip(path: Path, message: str) -> None:
            report.skipped.append((str(path), message))
            if on_skip is not None:
                on_skip(str(path), message)

        def leave_out(_: Path, counts: dict[str, int]) -> None:
            for reason, n in counts.items():
                report.left_out[reason] = report.left_out.get(reason, 0) + n

        for path, message in self.absent:
            skip(path, message)
        velocities = None if self.velocities is None else self.velocities()
        with closing(self._read(skip, leave_out, n_ahead)) as read:
            for batch, spectra in grid_spectra(
                read,
                self.survey,
                self.settings,
                velocities=velocities,
                threads=self.threads,
                quality=self.quality,
                on_error=skip,
            ):
                report.n_fast += too_fast(batch, self.settings)
                report.n_spectra += len(batch)
                yield batch, spectra
                if progress is not None:
                    progress(report.n_spectra, len(self.files))
        if velocities is not None:
            report.velocities = velocities.counts()
        if not whole:
            return
        if isinstance(self.columns, Choice) and report.n_spectra:
            self.columns.require_used([*self.tables, *self.files[:1]])
        report.lines += self.closing_lines(report, velocities)

    def closing_lines(self, report: Report, velocities: VelocitySource | None = None) -> list[str]:
        """What is to be told of stars and velocities when all files of a run are through.

        Parameters
        ----------
        report : Report
        velocities : VelocitySource, optional
            That gave them; of a run in parts there is none, and their counts are told.

        Raises
        ------
        InputError
            If the stars or the velocities are those of no spectrum.
        """
        lines = []
        if self.stars is not None:
            self.stars.require_match()
            lines.append(str(self.stars))
        if not report.n_spectra:
            return lines
        if velocities is None and self.velocities is not None:
            velocities = self.velocities().counted(report.velocities)
        if velocities is not None:
            lines += velocities.lines()
        return lines + fast_line(report.n_fast)

    def _read(self, skip: Callable, leave_out: Callable, n_ahead: int) -> Generator[SpectrumBatch, None, None]:
        """The batches as they are read; what is to be told of files is told here, not in the thread that reads."""
        stop = Event()

        def read() -> Iterator[tuple[list[tuple[Callable, tuple]], SpectrumBatch | None]]:
            notes: list[tuple[Callable, tuple]] = []
            batches = stream_files(
                self.survey,
                takewhile(lambda _: not stop.is_set(), self.files),
                self.batch_size,
                on_error=lambda *told: notes.append((skip, told)),
                on_left_out=lambda *told: notes.append((leave_out, told)),
                keep=None if self.stars is None else self.stars.wanted,
            )
            try:
                for batch in batches:
                    yield notes.copy(), batch
                    notes.clear()
            except Exception:
                yield notes, None
                raise
            yield notes, None

        with closing(ahead(read(), n_ahead, stop)) as items:
            for notes, batch in items:
                for call, told in notes:
                    call(*told)
                if batch is not None:
                    yield batch
