"""A prepared set in memory: spectra on the grid, further inputs by name, and everything known about each star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..encoder_notes import Note, of_note
from ..errors import InputError, said
from ..flags import count
from ..grids import Grid
from ..preprocess import GridSpectra, Preprocessing, require_same
from ..summary import Summarised, Summary, counted, span
from ..telling import tell
from .gathering import Gathered, gather_input
from .input_files import inputs_text
from .inputs import FLUX, Inputs, input_parts
from .stars import Stars


@dataclass(frozen=True, repr=False)
class PreparedSet(Summarised):
    """Spectra on the wavelength grid, with everything that is known about each star.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, grid.size), float32
        Flux over continuum; NaN rows where there is none.
    ivar : ndarray of the shape of `flux`, float32, or None
    columns : dict of str to ndarray, each of length n_spectra
        ``file``, ``id``, ``survey``, ``star``, ``velocity``, ``snr``, ``good_fraction``, ``flags``, ``split``, whatever else
        the survey gives, and the labels (NaN where missing).
    labels : tuple of str
        Which of the columns are labels.
    preprocessing : Preprocessing
    provenance : dict
        How the set was made.
    hash : str
        SHA-256 of the flux.
    further : Inputs
        Inputs added by `add_input`, each of shape (n_spectra, n), float32; they are read when needed.

    Examples
    --------
    >>> import transtar as ts
    >>> prepared = ts.read_set("sets/miles")
    >>> len(prepared), prepared.flux.shape, prepared.labels
    (30, (30, 1462), ('teff', 'feh'))
    """

    flux: np.ndarray
    ivar: np.ndarray | None
    columns: dict[str, np.ndarray]
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    provenance: dict
    hash: str = ""
    further: Inputs = field(default_factory=Inputs)

    def __len__(self) -> int:
        return len(self.flux)

    def _summary(self) -> Summary:
        labels = {name: int(np.isfinite(self.columns[name]).sum()) for name in self.labels}
        parts, rows = np.unique(self.columns["split"], return_counts=True)
        return Summary(
            f"PreparedSet: {len(self):,} spectra of {self.survey}",
            {
                "labels": counted(labels) or "none",
                "split": counted(dict(zip(parts.tolist(), rows.tolist(), strict=True))),
                "grid": f"'{self.grid.name}', {span(self.wave)}, {self.preprocessing.frame} frame",
                "errors": "none" if self.ivar is None else "inverse variances",
                "inputs": inputs_text(self.further, self.further.encoders),
                "flags": counted(count(self.columns["flags"])) or "none",
                "columns": ", ".join(self.columns),
            },
        )

    @property
    def survey(self) -> str:
        """Name of the survey, or of several joined by '+'."""
        return "+".join(np.unique(self.columns["survey"]).tolist())

    @property
    def grid(self) -> Grid:
        """The wavelength grid, whose name is `grid.name`."""
        return self.preprocessing.wavelengths

    @property
    def wave(self) -> np.ndarray:
        """Vacuum wavelength in Angstrom, shape (grid.size,), float64."""
        return self.grid.wave

    @property
    def inputs(self) -> Inputs:
        """All arrays that a network may take, by name; the first is ``flux``."""
        return Inputs({FLUX.name: self.flux}, self.further)

    def input(self, name: str, encoders: Mapping[str, Note] | None = None) -> np.ndarray:
        """The array of an input, read from the set or computed; several, joined by '+', are put side by side in that order.

        Parameters
        ----------
        name : str
            Such as 'flux', 'embedding' or 'flux+embedding'.
        encoders : mapping of str to dict, optional
            The encoders that must have made the parts, as a model records them.

        Returns
        -------
        ndarray, shape (n_spectra, n_inputs), float32
            NaN where a spectrum has none.

        Raises
        ------
        InputError
            If the set has no such input and nothing can compute it.
        MismatchError
            If the set has it from another encoder.
        """
        return self._gather(name, encoders).inputs

    def _gather(self, name: str, encoders: Mapping[str, Note] | None) -> Gathered:
        gathered = gather_input(name, self.grid_spectra(), self.preprocessing, encoders)
        for part, note in gathered.encoders.items():
            if part not in self.further:
                tell(
                    f"input '{part}' of {len(self)} spectra is computed by the encoder {of_note(note)}; transtar embed keeps it "
                    "in the set"
                )
        return gathered

    def gathered(self, name: str, encoders: Mapping[str, Note] | None = None) -> PreparedSet:
        """The set with all parts of an input in memory, so that they are read or computed only once.

        Parameters
        ----------
        name : str
            Such as 'embedding' or 'flux+embedding'.
        encoders : mapping of str to dict, optional
            As in `input`.

        Returns
        -------
        PreparedSet

        Raises
        ------
        InputError, MismatchError
            As `input`.
        """
        parts = {part: self._gather(part, encoders) for part in input_parts(name) if part != FLUX.name}
        notes = {part: note for gathered in parts.values() for part, note in gathered.encoders.items()}
        arrays = {part: gathered.inputs for part, gathered in parts.items()}
        return replace(self, further=Inputs(arrays, self.further, encoders=notes))

    def select(self, rows) -> PreparedSet:
        """The spectra at `rows` (slice, index or bool array)."""
        return replace(
            self,
            flux=self.flux[rows],
            ivar=None if self.ivar is None else self.ivar[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
            further=self.further.select(rows),
        )

    def targets(self, names: Sequence[str]) -> np.ndarray:
        """Labels as columns of a (n_spectra, n_labels) float64 array.

        Raises
        ------
        InputError
            If the set lacks one of the labels.
        """
        for name in names:
            if name not in self.labels:
                known = ", ".join(self.labels) or "none; prepare it with --labels"
                raise InputError(f"the prepared set has no label '{name}'; it has: {known}")
        return np.stack([self.columns[name].astype(np.float64) for name in names], axis=1)

    def stars(
        self,
        labels: Sequence[str],
        rows: np.ndarray | slice | None = None,
        input: str = FLUX.name,
        encoders: Mapping[str, Note] | None = None,
        spectra: bool = False,
    ) -> Stars:
        """The stars at `rows`, for `transtar.pretrain` and `transtar.finetune`.

        Parameters
        ----------
        labels : sequence of str
        rows : ndarray or slice, optional
            Index or bool array; by default all rows of the pool that no flag rules out.
        input : str
            The input to learn from, as in `input`; rows that lack it are left out, and a message says so.
        encoders : mapping of str to dict, optional
            As in `input`; for stars that a model is to learn from, the `encoders` of that model.
        spectra : bool
            Whether the stars also keep their spectra with errors.

        Returns
        -------
        Stars

        Raises
        ------
        InputError
            If the set lacks a label or the input, or no row can be used.
        MismatchError
            If the set has the input from another encoder.
        """
        labels = (labels,) if isinstance(labels, str) else tuple(labels)
        if not labels:
            raise InputError(f"no label to learn; the prepared set has: {', '.join(self.labels) or 'none'}")
        try:
            part = self.select(usable(self) & (self.columns["split"] == "pool") if rows is None else rows)
        except IndexError as error:
            raise InputError(f"rows that a set of {len(self)} spectra does not have ({said(error)})") from None
        columns = part.columns
        targets = part.targets(labels)
        inputs, sizes, notes = part._gather(input, encoders)
        if input != FLUX.name:
            n_without = int((~np.isfinite(inputs).all(axis=1)).sum())
            if n_without:
                tell(f"{n_without} of {len(part)} spectra are without the input '{input}' and are left out")
        return Stars(
            inputs,
            targets,
            labels,
            names=star_names(columns),
            survey=columns["survey"],
            ids=columns["id"],
            files=columns["file"],
            feh=columns.get("feh"),
            preprocessing=self.preprocessing,
            input=input,
            input_sizes=sizes,
            encoders=notes,
            set_hash=self.hash,
            spectra=part.grid_spectra() if spectra else None,
        )

    def grid_spectra(self) -> GridSpectra:
        """The spectra, their inputs and what is known about their quality, without the rest."""
        column = self.columns
        return GridSpectra(
            self.flux, self.ivar, column["good_fraction"], column["snr"], column["flags"], self.further, self.grid,
            column.get("noise_correlation"),
        )  # fmt: skip


def usable(prepared: PreparedSet) -> np.ndarray:
    """Rows that no flag rules out and whose flux is finite; bool, shape (n_spectra,)."""
    return prepared.grid_spectra().usable


def star_names(columns: dict[str, np.ndarray]) -> np.ndarray:
    """A name per star, by which repeat visits stay together: the survey's own, else the id, else the file."""
    star = columns.get("star", np.full(len(columns["file"]), "")).astype(str)
    spectrum_names = np.where(columns["id"] >= 0, columns["id"].astype(str), columns["file"])
    return np.where(star != "", star, spectrum_names)


def join_sets(sets: Sequence[PreparedSet], names: Sequence[str] | None = None) -> PreparedSet:
    """Join sets of one preprocessing; labels that only some have are NaN in the others, inputs that only some have are left out.

    Raises
    ------
    MismatchError
        If they were preprocessed differently.
    """
    first = sets[0]
    if len(sets) == 1:
        return first
    names = names or [f"set {i + 1}" for i in range(len(sets))]
    for other, name in zip(sets[1:], names[1:], strict=True):
        require_same(first.preprocessing, names[0], other.preprocessing, name)
    labels = tuple(dict.fromkeys(label for one in sets for label in one.labels))
    ivars = [np.zeros_like(one.flux) if one.ivar is None else one.ivar for one in sets]
    return PreparedSet(
        flux=np.concatenate([one.flux for one in sets]),
        ivar=None if all(one.ivar is None for one in sets) else np.concatenate(ivars),
        columns=join_columns([one.columns for one in sets]),
        labels=labels,
        preprocessing=first.preprocessing,
        provenance={"joined": [one.provenance for one in sets]},
        hash="+".join(dict.fromkeys(one.hash for one in sets)),
        further=Inputs.joined([one.further for one in sets]),
    )


def join_columns(batches: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenate columns; what a batch lacks becomes NaN, -1, False or empty."""
    lengths = [len(next(iter(columns.values()))) for columns in batches]
    joined = {}
    for name in dict.fromkeys(name for columns in batches for name in columns):
        example = next(columns[name] for columns in batches if name in columns)
        filler = {"f": np.nan, "i": -1, "b": False}.get(example.dtype.kind, "")
        parts = [columns.get(name, np.full(n, filler)) for columns, n in zip(batches, lengths, strict=True)]
        joined[name] = np.concatenate(parts)
    return joined
