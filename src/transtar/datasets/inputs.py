"""Inputs: named arrays by which a network knows the stars. The flux is the first; others come from encoders.

Another package adds an input by `register_input`, or by an entry point of the group ``transtar.inputs``; an encoder, which a
model knows by its hash, by those of `transtar.encoders`. `gathering` finds, or computes, whichever a network takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..checks import check_text
from ..encoder_notes import Note, of_note
from ..errors import InputError, SettingsError, shown
from ..names import check_name
from ..plugins import load_offered, offered
from ..preprocess import GridSpectra, Preprocessing

ENTRY_POINT_GROUP = "transtar.inputs"

JOINT = "+"
"""Joins the names of inputs that a network takes together."""


@dataclass(frozen=True)
class Input:
    """How an input is computed from spectra, by what has no weights; `transtar.encoders.OutsideEncoder` is for what has some.

    Parameters
    ----------
    name : str
        Without a '+'.
    compute : callable
        Takes `GridSpectra`, whose flux is finite, and their `Preprocessing`; returns an array of shape (n_spectra, n_inputs).
    description : str
        One line.
    """

    name: str
    compute: Callable[[GridSpectra, Preprocessing], np.ndarray]
    description: str = ""


FLUX = Input("flux", lambda spectra, preprocessing: spectra.flux, "the prepared spectrum itself")

_REGISTERED: dict[str, Input] = {FLUX.name: FLUX}


def register_input(new: Input) -> Input:
    """Make an input known by its name for the rest of the process.

    A package that wants its input known wherever it is installed declares an entry point instead::

        [project.entry-points."transtar.inputs"]
        embedding = "mypackage.encoder:EMBEDDING"

    Parameters
    ----------
    new : Input

    Returns
    -------
    Input
        The same.

    Raises
    ------
    SettingsError
        If the name cannot be one, or another input has it.
    """
    if not isinstance(new, Input):
        raise SettingsError(f"an input is a transtar.datasets.Input, not {shown(repr(new))}")
    check_input_name(new.name)
    if _REGISTERED.setdefault(new.name, new) is not new:
        raise SettingsError(f"an input named '{new.name}' is registered already; choose another name")
    return new


def input_names() -> list[str]:
    """Names of all inputs, registered or offered by an installed package, encoders among them; sorted. Loads no package."""
    # Here, as they need torch, which takes a second.
    from ..encoders.registry import encoder_names

    return sorted({*_REGISTERED, *offered(ENTRY_POINT_GROUP), *encoder_names()})


def named_input(name: str) -> Input | None:
    """The registered or offered input of a name, None if there is none.

    Raises
    ------
    SettingsError
        If the package that offers it is broken.
    """
    definition = _REGISTERED.get(name) or load_offered(ENTRY_POINT_GROUP, name, "input", Input)
    return None if definition is None else register_input(definition)


def check_input_name(name: str) -> str:
    """Refuse what can be no name of an input, which is part of a file name.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        The same.

    Raises
    ------
    SettingsError
        If it has a '+', or cannot be part of a file name.
    """
    if JOINT in check_name(name, "input"):
        raise SettingsError(f"input: '{shown(name)}' cannot be a name: it has a '{JOINT}', which joins several")
    return name


def input_parts(name: str) -> tuple[str, ...]:
    """The inputs that a name such as 'flux+embedding' joins.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str

    Raises
    ------
    SettingsError
        If one cannot be a name, or comes twice.
    """
    parts = tuple(check_input_name(part) for part in check_text(name, "input").split(JOINT))
    if len(set(parts)) < len(parts):
        raise SettingsError(f"input '{shown(name)}': an input comes twice")
    return parts


class Inputs(Mapping[str, np.ndarray]):
    """Arrays by name, each with a row per spectrum; one that is a file is read whenever it is asked for.

    Parameters
    ----------
    *sources : mapping of str to ndarray or callable
        Arrays of shape (n_spectra, n), float32, or functions that read them; the first mapping that has a name counts.
    encoders : mapping of str to dict, optional
        Notes of the encoders that made some of them, by name; see `transtar.encoders.note_of`. Mappings that are `Inputs` bring
        theirs along.
    """

    def __init__(
        self,
        *sources: Mapping[str, np.ndarray | Callable[[], np.ndarray]],
        encoders: Mapping[str, Note] | None = None,
    ):
        self._sources: dict[str, np.ndarray | Callable[[], np.ndarray]] = {}
        self.encoders: dict[str, Note] = {}
        for source in sources:
            notes = source.encoders if isinstance(source, Inputs) else encoders or {}
            for name, array in (source._sources if isinstance(source, Inputs) else source).items():
                if name in self._sources:
                    continue
                self._sources[name] = array
                if name in notes:
                    self.encoders[name] = notes[name]

    def __getitem__(self, name: str) -> np.ndarray:
        source = self._sources[name]
        return source if isinstance(source, np.ndarray) else source()

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def select(self, rows) -> Inputs:
        """The inputs of some spectra, still unread where they are files.

        Parameters
        ----------
        rows : slice or ndarray, int or bool

        Returns
        -------
        Inputs
        """
        return Inputs(
            {
                name: source[rows] if isinstance(source, np.ndarray) else partial(_rows_of, source, rows)
                for name, source in self._sources.items()
            },
            encoders=self.encoders,
        )

    @classmethod
    def joined(cls, several: Sequence[Inputs]) -> Inputs:
        """The inputs that all of several have, put together when they are asked for.

        Parameters
        ----------
        several : sequence of Inputs
            At least one.

        Returns
        -------
        Inputs
            Asking for one raises `InputError` if it differs in its values per star, or in the encoder that made it.
        """
        names = [name for name in several[0] if all(name in one for one in several)]
        return cls({name: partial(_joined, several, name) for name in names}, encoders=several[0].encoders)


def _rows_of(source: Callable[[], np.ndarray], rows) -> np.ndarray:
    return source()[rows]


def _joined(several: Sequence[Inputs], name: str) -> np.ndarray:
    notes = [one.encoders.get(name) for one in several]
    if len({note and note["sha256"] for note in notes}) > 1:
        made = " and ".join(dict.fromkeys(of_note(note) if note else "no noted one" for note in notes))
        raise InputError(
            f"input '{name}': the sets have it from different encoders, {made}; make it with one for all: transtar embed"
        )
    arrays = [one[name] for one in several]
    if len({array.shape[1] for array in arrays}) > 1:
        sizes = " and ".join(str(array.shape[1]) for array in arrays)
        raise InputError(f"input '{name}': the sets have {sizes} values per star; make it with one encoder for all")
    return np.concatenate(arrays)
