"""Where the radial velocities of a run come from, if not from the survey: a table, or the spectra themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..grids import MOST_VELOCITY
from ..labels import VelocityReport, find_velocities
from ..preprocess import Preprocessing
from ..preprocess.chain import pixels_on_grid
from ..spectra import SpectrumBatch
from ..surveys import Survey
from ..telling import tell

MEASURE = "measure"
"""What a user says in place of a table to have velocities measured."""

NOTABLE = 10.0
"""A median difference from the survey's velocities, in km/s, and in units of its own error, from which it is pointed at."""


def given_table(velocities: str | None) -> str | None:
    """What a user says of velocities, if it is a table."""
    return None if velocities == MEASURE else velocities


class VelocitySource(Protocol):
    """Gives velocities to one batch after another, and says in the end how that went."""

    def give(self, batch: SpectrumBatch) -> SpectrumBatch:
        """The batch with other velocities."""

    def counts(self) -> dict[str, int]:
        """How that went, in counts that can be summed over the parts of a run."""

    def counted(self, counts: Mapping[str, int]) -> VelocitySource:
        """The source as after so many spectra, without what no count holds."""

    def lines(self) -> list[str]:
        """What is to be told when all batches are through.

        Raises
        ------
        InputError
            If the source had nothing for any spectrum, though it should have.
        """


@dataclass
class FromTable:
    """Velocities of a table; joined as labels are.

    Parameters
    ----------
    table : mapping of str to ndarray
        As from `transtar.labels.read_velocities`.
    name : str
        Of the table, for messages.
    report : VelocityReport
    """

    table: Mapping[str, np.ndarray]
    name: str = "the table of velocities"
    report: VelocityReport = field(default_factory=VelocityReport)

    def give(self, batch: SpectrumBatch) -> SpectrumBatch:
        """The batch with the velocities of the table, NaN where it has none."""
        if batch.frame == "rest":
            tell(f"{batch.survey}: velocities are not applied to spectra whose wavelengths are at rest")
        velocity = find_velocities(
            self.table,
            file=batch.meta["file"],
            ids=batch.ids,
            star=batch.meta.get("star"),
            keys={name: batch.meta[name] for name in batch.keys},
            report=self.report,
        )
        return replace(batch, meta={**batch.meta, "velocity": velocity})

    def counts(self) -> dict[str, int]:
        """How many spectra the table has, under the columns that joined; see `VelocitySource`."""
        known = {name: getattr(self.report, name) for name in ("found", "missing", "ambiguous")}
        return known | ({f"by {self.report.key}": 1} if self.report.key else {})

    def counted(self, counts: Mapping[str, int]) -> FromTable:
        """The source after so many spectra; see `VelocitySource`."""
        keys = [name.removeprefix("by ") for name in counts if name.startswith("by ")]
        known = {name: counts.get(name, 0) for name in ("found", "missing", "ambiguous")}
        return replace(self, report=VelocityReport(**known, key=" or ".join(keys)))

    def lines(self) -> list[str]:
        """How many spectra the table has; see `VelocitySource`."""
        self.report.require_match(self.name)
        return [str(self.report)]


@dataclass
class Measured:
    """Velocities measured in the spectra, by `transtar.velocity.measure_velocities`.

    Parameters
    ----------
    survey : Survey
        Its sky lines and resolution are used.
    threads : int, optional
        All processors if not given.
    settings : Preprocessing, optional
        That follows. What it refuses is not counted, and in the observed frame nothing is flagged.
    """

    survey: Survey
    threads: int | None = None
    settings: Preprocessing | None = None
    n: int = 0
    n_rest: int = 0
    n_known: int = 0
    errors: list[np.ndarray] = field(default_factory=list)
    differences: list[np.ndarray] = field(default_factory=list)

    def give(self, batch: SpectrumBatch) -> SpectrumBatch:
        """The batch with measured velocities and their errors, NaN where a spectrum does not show any."""
        from ..velocity import measure_velocities

        if self.settings is not None:
            part, least = pixels_on_grid(batch.wave, self.settings)
            if len(batch.wave[part]) < least:
                return batch
        self.n += len(batch)
        given = batch.meta.get("velocity", np.full(len(batch), np.nan))
        if batch.frame == "rest":
            self.n_rest += len(batch)
            return replace(batch, meta={**batch.meta, "velocity_err": np.full(len(batch), np.nan)})
        measured = measure_velocities(
            batch, sky_lines=self.survey.sky_lines, resolution=self.survey.resolution, threads=self.threads
        )
        velocity = np.where(measured.good, measured.velocity, np.nan)
        error = np.where(measured.good, measured.error, np.nan)
        known = np.isfinite(velocity)
        self.n_known += int(known.sum())
        self.errors.append(error[known].astype(np.float32))
        # A survey's own "0" is often "nobody measured it", and one beyond all stars a failure: neither is an opinion.
        both = known & (np.abs(given) <= MOST_VELOCITY) & (given != 0)
        self.differences.append((velocity - given)[both].astype(np.float32))
        return replace(batch, meta={**batch.meta, "velocity": velocity, "velocity_err": error})

    def counts(self) -> dict[str, int]:
        """Of how many spectra a velocity was measured; see `VelocitySource`."""
        return {name: getattr(self, name) for name in ("n", "n_rest", "n_known")}

    def counted(self, counts: Mapping[str, int]) -> Measured:
        """The source after so many spectra, whose errors and differences are not known; see `VelocitySource`."""
        n, n_rest, n_known = (counts.get(name, 0) for name in ("n", "n_rest", "n_known"))
        return replace(self, errors=[], differences=[], n=n, n_rest=n_rest, n_known=n_known)

    def lines(self) -> list[str]:
        """How many velocities were measured, how well, and how they compare with the survey's; see `VelocitySource`."""
        lines = []
        if self.n_rest:
            lines.append(f"velocities: not measured for {self.n_rest} spectra whose wavelengths are at rest")
        if self.n > self.n_rest:
            lines.append(self._line())
        difference = np.concatenate(self.differences or [np.empty(0)])
        if len(difference) >= 10:
            middle, scatter = _middle_and_scatter(difference)
            lines.append(
                f"velocities: measured minus the survey's: median {middle:+.1f} km/s, scatter {scatter:.1f} km/s "
                f"(1.48 MAD of {len(difference)} spectra)"
            )
            if abs(middle) > NOTABLE and abs(middle) > NOTABLE * scatter / np.sqrt(len(difference)):
                lines.append(
                    f"velocities: an offset of {middle:+.1f} km/s speaks of wavelengths of air taken for vacuum (about 80 km/s), "
                    "of the Earth's motion, or of another zero point; labels are taken at the measured ones"
                )
        return lines

    def _line(self) -> str:
        tried = self.n - self.n_rest
        needed = self.settings is None or self.settings.frame == "rest"
        line = f"velocities: measured for {self.n_known} of {tried} spectra"
        if self.errors:
            line += f", median error {np.median(np.concatenate(self.errors)):.1f} km/s"
        if self.n_known < tried:
            line += f"; {tried - self.n_known} show no clear one{' (flag NO_VELOCITY)' if needed else ''}"
        return (
            line
            if needed
            else f"{line}; they are not taken out, the preprocessing leaves spectra in the observed frame"
        )


def _middle_and_scatter(values: np.ndarray) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))
