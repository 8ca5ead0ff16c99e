"""Inputs: named arrays by which a network knows the stars. The flux is the first; others come from encoders.

Another package adds an input by `register_input`, or by an entry point of the group ``transtar.inputs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..arrays import real_array
from ..checks import check_text
from ..errors import InputError, SettingsError, TranstarError, said, shown
from ..names import check_name
from ..plugins import load_offered, offered
from ..preprocess import GridSpectra, Preprocessing

ENTRY_POINT_GROUP = "transtar.inputs"

JOINT = "+"
"""Joins the names of inputs that a network takes together."""

BLOCK = 2048
"""Spectra that an input is computed of at a time."""


@dataclass(frozen=True)
class Input:
    """How an input is computed from spectra.

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
    """Names of all inputs, registered or offered by an installed package; sorted. Loads no package."""
    return sorted({*_REGISTERED, *offered(ENTRY_POINT_GROUP)})


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
    """

    def __init__(self, *sources: Mapping[str, np.ndarray | Callable[[], np.ndarray]]):
        self._sources: dict[str, np.ndarray | Callable[[], np.ndarray]] = {}
        for source in sources:
            for name, array in (source._sources if isinstance(source, Inputs) else source).items():
                self._sources.setdefault(name, array)

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
            }
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
            Asking for one raises `InputError` if it differs in its values per star.
        """
        names = [name for name in several[0] if all(name in one for one in several)]
        return cls({name: partial(_joined, several, name) for name in names})


def _rows_of(source: Callable[[], np.ndarray], rows) -> np.ndarray:
    return source()[rows]


def _joined(several: Sequence[Inputs], name: str) -> np.ndarray:
    arrays = [one[name] for one in several]
    if len({array.shape[1] for array in arrays}) > 1:
        sizes = " and ".join(str(array.shape[1]) for array in arrays)
        raise InputError(f"input '{name}': the sets have {sizes} values per star; make it with one encoder for all")
    return np.concatenate(arrays)


def gather_input(
    name: str, spectra: GridSpectra, preprocessing: Preprocessing | None
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The input of a network: what the spectra bring along, or what a registered input computes of them.

    Parameters
    ----------
    name : str
        Several joined by '+' are put side by side in that order.
    spectra : GridSpectra
    preprocessing : Preprocessing or None
        That of the spectra.

    Returns
    -------
    inputs : ndarray, shape (n_spectra, n_inputs), float32
        The flux itself where that is the input; NaN where a spectrum has none.
    sizes : tuple of int
        Inputs of each part.

    Raises
    ------
    InputError
        If the spectra bring no such input and no package computes it, or it cannot be computed.
    SettingsError
        If the name is impossible.
    """
    parts = [_one(part, spectra, preprocessing) for part in input_parts(name)]
    sizes = tuple(part.shape[1] for part in parts)
    return (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)), sizes


def _one(name: str, spectra: GridSpectra, preprocessing: Preprocessing | None) -> np.ndarray:
    if name == FLUX.name:
        return np.asarray(spectra.flux)
    given = getattr(spectra, "inputs", {})
    if name in given:
        return given[name]
    definition = _REGISTERED.get(name) or load_offered(ENTRY_POINT_GROUP, name, "input", Input)
    if definition is None:
        raise InputError(
            f"no input '{shown(name)}': the spectra bring {', '.join([FLUX.name, *given])}, installed packages compute "
            f"{', '.join(input_names())}; add it to the prepared set (transtar.add_input) or install the package that computes it"
        )
    if preprocessing is None:
        raise InputError(f"input '{name}' is computed from prepared spectra, and these have no preprocessing")
    return _computed(register_input(definition), spectra, preprocessing)


def _computed(one: Input, spectra: GridSpectra, preprocessing: Preprocessing) -> np.ndarray:
    """Compute an input block by block; NaN for spectra whose flux is not finite."""
    rows = np.flatnonzero(np.isfinite(spectra.flux).all(axis=1))
    blocks: list[np.ndarray] = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        try:
            values = real_array(one.compute(spectra.select(block), preprocessing), f"input '{one.name}'", np.float32)
        except TranstarError:
            raise
        except Exception as error:
            # A foreign encoder can fail in any way at all.
            raise InputError(f"input '{one.name}' cannot be computed ({said(error)})") from error
        if values.ndim != 2 or len(values) != len(block):
            raise InputError(
                f"input '{one.name}' has shape {values.shape} for {len(block)} spectra, expected ({len(block)}, n)"
            )
        if blocks and values.shape[1] != blocks[0].shape[1]:
            raise InputError(
                f"input '{one.name}' has {blocks[0].shape[1]} values per star for some spectra, {values.shape[1]} for others"
            )
        blocks.append(values)
    if len(rows) == len(spectra.flux) and blocks:
        return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
    inputs = np.full((len(spectra.flux), blocks[0].shape[1] if blocks else 1), np.nan, dtype=np.float32)
    if blocks:
        inputs[rows] = np.concatenate(blocks)
    return inputs
