"""GridSpectra: what the preprocessing gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..flags import NO_LABEL, count, has
from ..grids import Grid
from ..summary import Summarised, Summary, counted, span


@dataclass(frozen=True, repr=False)
class GridSpectra(Summarised):
    """Spectra on the wavelength grid, ready for a network.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, grid.size), float32
        Flux over continuum; NaN rows where there is no continuum.
    ivar : ndarray of the shape of `flux`, float32, or None
        Inverse variance of `flux`, 0 where bad.
    good_fraction : ndarray, shape (n_spectra,), float32
        Share of grid pixels that draw on good native pixels only.
    snr : ndarray, shape (n_spectra,), float32
        Median S/N per grid pixel over the good ones; NaN without `ivar`.
    flags : ndarray, shape (n_spectra,), int32
        Bits of `transtar.flags.Flag`.
    inputs : mapping of str to ndarray, shape (n_spectra, n), float32
        What a network may take beside the flux, by name; a prepared set brings its own.
    grid : Grid, optional
        The wavelength grid, whose name is `grid.name`.
    correlation : ndarray, shape (n_spectra,), float32, or None
        Mean correlation of the noise of neighbouring grid pixels (see `transtar.preprocess.correlation`); NaN or None where it
        is not known.
    """

    flux: np.ndarray
    ivar: np.ndarray | None
    good_fraction: np.ndarray
    snr: np.ndarray
    flags: np.ndarray
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    grid: Grid | None = None
    correlation: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.flux)

    def _summary(self) -> Summary:
        grid = self.grid
        return Summary(
            f"GridSpectra: {len(self):,} spectra",
            {
                "grid": f"{self.flux.shape[1]:,} points" if grid is None else f"'{grid.name}', {span(grid.wave)}",
                "errors": "none" if self.ivar is None else "inverse variances",
                "inputs": ", ".join(self.inputs),
                "flags": counted(count(self.flags)) or "none",
            },
        )

    @property
    def wave(self) -> np.ndarray:
        """Vacuum wavelength in Angstrom, shape (grid.size,), float64.

        Raises
        ------
        InputError
            If nobody has said on which grid these spectra are.
        """
        if self.grid is None:
            raise InputError(
                "these spectra do not say on which grid they are; make them with grid=transtar.grids.get_grid('blue')"
            )
        return self.grid.wave

    @property
    def usable(self) -> np.ndarray:
        """Spectra that no flag of `NO_LABEL` rules out and whose flux is finite; bool, shape (n_spectra,)."""
        return ~has(self.flags, NO_LABEL) & np.isfinite(self.flux).all(axis=1)

    def select(self, rows) -> GridSpectra:
        """Some of the spectra, without further inputs.

        Parameters
        ----------
        rows : slice or ndarray, int or bool

        Returns
        -------
        GridSpectra
        """
        return GridSpectra(
            self.flux[rows],
            None if self.ivar is None else self.ivar[rows],
            self.good_fraction[rows],
            self.snr[rows],
            self.flags[rows],
            grid=self.grid,
            correlation=None if self.correlation is None else self.correlation[rows],
        )
