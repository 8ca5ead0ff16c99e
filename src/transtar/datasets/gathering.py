"""The input of a network: what spectra bring along, or what an input or an encoder computes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..encoder_notes import Note, of_note, require_same_encoder
from ..errors import InputError, MismatchError, SettingsError, shown
from ..grids import XP
from ..preprocess import GridSpectra, Preprocessing, require_same
from ..spectra import SpectrumBatch
from .inputs import FLUX, Input, Inputs, input_names, input_parts, named_input

if TYPE_CHECKING:
    from ..encoders.registry import AnyEncoder

BLOCK = 2048
"""Spectra that an input is computed of at a time."""


class Gathered(NamedTuple):
    """What `gather_input` gives.

    Parameters
    ----------
    inputs : ndarray, shape (n_spectra, n_inputs), float32
        The flux itself where that is the input; NaN where a spectrum has none.
    sizes : tuple of int
        Inputs of each part.
    encoders : dict of str to dict
        Notes of the encoders, by the name of the part.
    """

    inputs: np.ndarray
    sizes: tuple[int, ...]
    encoders: dict[str, Note]


Made = MutableMapping[tuple[str, str], tuple[np.ndarray, Note | None]]
"""Parts of inputs that were gathered of the same spectra before, by name and hash of the encoder."""


def gather_input(
    name: str,
    spectra: GridSpectra,
    preprocessing: Preprocessing | None,
    encoders: Mapping[str, Note] | None = None,
    native: SpectrumBatch | Callable[[], SpectrumBatch] | None = None,
    made: Made | None = None,
) -> Gathered:
    """The input of a network: what the spectra bring along, else what a registered input or an encoder computes of them.

    Parameters
    ----------
    name : str
        Several joined by '+' are put side by side in that order.
    spectra : GridSpectra
    preprocessing : Preprocessing or None
        That of the spectra.
    encoders : mapping of str to dict, optional
        Notes of the encoders that must have made the parts (see `transtar.encoders.note_of`), as a model has them; parts without
        one must be made by none. If not given, whatever the spectra bring is taken, and what they lack is made by the encoder of
        that name.
    native : SpectrumBatch or callable, optional
        The same spectra as they were read, for encoders that take those; or what gives them.
    made : dict, optional
        Takes up each part, and gives it back the next time.

    Returns
    -------
    Gathered

    Raises
    ------
    InputError
        If the spectra bring no such input and nothing computes it, it cannot be computed, or an encoder is missing.
    MismatchError
        If the spectra bring it from another encoder, another encoder is found, or it takes spectra prepared otherwise.
    SettingsError
        If the name is impossible.
    """
    made = {} if made is None else made
    parts = input_parts(name)
    arrays, notes = [], {}
    for part in parts:
        wanted = (encoders or {}).get(part)
        key = (part, "" if wanted is None else wanted["sha256"])
        if key not in made:
            made[key] = _one(part, spectra, preprocessing, wanted, native)
        array, note = made[key]
        if encoders is not None and wanted is None and note is not None:
            raise MismatchError(
                f"input '{part}': the model learnt from one that no encoder is noted to have made; of the spectra the encoder "
                f"{of_note(note)} makes it, which may be another; give the spectra the one that it learnt from "
                "(transtar.add_input), or train a model with this encoder"
            )
        arrays.append(array)
        if note is not None:
            notes[part] = note
    sizes = tuple(array.shape[1] for array in arrays)
    return Gathered(arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1), sizes, notes)


def _one(
    name: str, spectra: GridSpectra, preprocessing: Preprocessing | None, wanted: Note | None, native
) -> tuple[np.ndarray, Note | None]:
    if name == FLUX.name:
        return np.asarray(spectra.flux), None
    given = getattr(spectra, "inputs", {})
    if name in given:
        note = given.encoders.get(name) if isinstance(given, Inputs) else None
        if wanted is not None:
            remedy = f"make it again with the one wanted: transtar embed --model {shown(wanted['place'] or name, 300)}"
            require_same_encoder(wanted, "the model", note, "the spectra", remedy)
        return given[name], note
    # Here, as encoders need torch, which takes a second.
    from ..encoders.registry import find_encoder, note_of

    definition = None if wanted is not None else named_input(name)
    encoder = find_encoder(wanted) if wanted is not None else _encoder_by_name(name, definition)
    if encoder is not None:
        return embed(encoder, spectra, preprocessing, native), wanted or note_of(encoder)
    if definition is None:
        raise InputError(
            f"no input '{shown(name)}': the spectra bring {', '.join([FLUX.name, *given])}, installed packages compute "
            f"{', '.join(input_names())}; add it to the prepared set (transtar embed, transtar.add_input) or install the package "
            "that computes it"
        )
    if preprocessing is None:
        raise InputError(f"input '{name}' is computed from prepared spectra, and these have no preprocessing")
    return _computed(name, _finite(spectra), _of_input(definition, spectra, preprocessing)), None


def _encoder_by_name(name: str, definition: Input | None) -> AnyEncoder | None:
    from ..encoders.registry import encoder_names, named_encoder

    if definition is None:
        return named_encoder(name)
    if name in encoder_names():
        raise SettingsError(f"'{name}' is the name of an input and of an encoder; uninstall or rename one of them")
    return None


def embed(
    encoder: AnyEncoder,
    spectra: GridSpectra,
    preprocessing: Preprocessing | None,
    native: SpectrumBatch | Callable[[], SpectrumBatch] | None = None,
) -> np.ndarray:
    """Embeddings of prepared spectra.

    Parameters
    ----------
    encoder : Encoder or OutsideEncoder
    spectra : GridSpectra
    preprocessing : Preprocessing or None
        That of the spectra.
    native : SpectrumBatch or callable, optional
        The same spectra as they were read, or what gives them.

    Returns
    -------
    ndarray, shape (n_spectra, width), float32
        NaN where `embeddable` says so.

    Raises
    ------
    InputError
        If it fails, or needs native spectra and there are none.
    MismatchError
        If it takes spectra prepared otherwise; the message names both.
    """
    from ..encoders import Encoder

    name, rows = encoder.name, embeddable(spectra, preprocessing)
    if isinstance(encoder, Encoder):
        require_same(encoder.preprocessing, f"the encoder '{name}'", preprocessing, "the spectra")
        return _computed(name, rows, lambda rows: encoder.encode(spectra.flux[rows]), encoder.width)
    from ..encoders.outside import checked_embedding, native_arguments

    if not encoder.native:
        if encoder.preprocessing is not None:
            require_same(encoder.preprocessing, f"the encoder '{name}'", preprocessing, "the spectra")
        return _computed(
            name,
            rows,
            lambda rows: checked_embedding(name, encoder.encode, spectra.flux[rows].astype(np.float32, copy=False)),
        )
    if native is None:
        raise InputError(
            f"input '{name}': its encoder takes spectra as they are read from files, and these are on a grid; predict with "
            "--survey and --spectra, or put it into the set while it is prepared"
        )
    batch = native if isinstance(native, SpectrumBatch) else native()
    if len(batch) != len(spectra):
        raise InputError(f"input '{name}': {len(batch)} native spectra for {len(spectra)} on the grid")
    return _computed(
        name,
        rows,
        lambda rows: checked_embedding(name, encoder.encode, **native_arguments(batch.select(rows), encoder.encode)),
    )


def embeddable(spectra: GridSpectra, preprocessing: Preprocessing | None) -> np.ndarray:
    """Spectra of which an encoder is asked for an embedding: those of finite flux, of Gaia XP spectra those that are learnt from.

    An XP spectrum without BP has half of its points, and that by whose flux it is divided, from what was put in their place: its
    embedding would be one of that.

    Parameters
    ----------
    spectra : GridSpectra
    preprocessing : Preprocessing or None
        That of the spectra.

    Returns
    -------
    ndarray, shape (n_spectra,), bool
    """
    return spectra.usable if preprocessing is not None and preprocessing.grid == XP.name else _finite(spectra)


def _finite(spectra: GridSpectra) -> np.ndarray:
    return np.isfinite(spectra.flux).all(axis=1)


def _of_input(one: Input, spectra: GridSpectra, preprocessing: Preprocessing) -> Callable[[np.ndarray], np.ndarray]:
    from ..encoders.outside import checked_embedding

    return lambda rows: checked_embedding(one.name, one.compute, spectra.select(rows), preprocessing)


def _computed(name: str, wanted: np.ndarray, compute: Callable[[np.ndarray], np.ndarray], width: int = 0) -> np.ndarray:
    """Compute an input block by block; NaN for spectra for which it is not wanted."""
    rows = np.flatnonzero(wanted)
    blocks: list[np.ndarray] = []
    for start in range(0, len(rows), BLOCK):
        values = compute(rows[start : start + BLOCK])
        if blocks and values.shape[1] != blocks[0].shape[1]:
            raise InputError(
                f"input '{name}' has {blocks[0].shape[1]} values per star for some spectra, {values.shape[1]} for others"
            )
        blocks.append(values)
    if len(rows) == len(wanted) and blocks:
        return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
    inputs = np.full((len(wanted), blocks[0].shape[1] if blocks else width or 1), np.nan, dtype=np.float32)
    if blocks:
        inputs[rows] = np.concatenate(blocks)
    return inputs
