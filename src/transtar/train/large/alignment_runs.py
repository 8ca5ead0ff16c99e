"""Aligning two encoders on prepared sets of the same stars: from folders of sets to the folder of an alignment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...datasets.set_files import describe_set
from ...datasets.star_pairs import gaia_ids_of
from ...encoders import Alignment, Encoder, load_alignment, load_encoder, new_alignment, note_of, save_alignment
from ...encoders.alignment import partner_ranks
from ...encoders.alignment_storage import MARKER, check_alignment_out
from ...errors import InputError, SettingsError, check_keys
from ...grids import XP
from ...networks.aligned import AlignedNetwork
from ...networks.alignment_settings import alignment_settings
from ...networks.crossing import SIDES
from ...preprocess import Preprocessing, require_same
from ...tables.seen_stars import TRAINED_ON_COLUMNS
from ..settings import plain, versions
from .aligning import Aligning
from .batch_statistics import with_plain_statistics
from .engine import train_large
from .given import hold_given
from .large_history import LargeHistory
from .large_settings import TRAINING_SIZES, EncoderTraining
from .ranks import Ranks, from_first, together
from .run_folder import check_run_folder, result_of, run_folder_of
from .run_key import key_of
from .spectra_source import open_source
from .streams import PairedStream

MOST_RANKED = 2048
"""Pairs among which partners are looked for at the end."""

MOST_AT_FIRST = 1024
"""Pairs at whose median spectra the decoders begin."""

Looking = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AlignmentRun:
    """What a training has made.

    Parameters
    ----------
    alignment : Alignment
        As it is stored.
    history : LargeHistory or None
        None if the alignment was there already.
    folder : Path
        Of the training, with its losses.
    partners : dict
        How partners that were held out are found: ``n``, ``first_xp`` and ``first_lrs``, the shares of LRS spectra whose own XP
        spectrum is the nearest of n, and the other way round. Empty if none was held out.
    """

    alignment: Alignment
    history: LargeHistory | None
    folder: Path
    partners: dict[str, Any]


def align_encoders(
    lrs: Encoder | str | os.PathLike,
    xp: Encoder | str | os.PathLike,
    sets: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    variant: str = "base",
    size: str = "small",
    training: EncoderTraining | None = None,
    *,
    pairs: str | os.PathLike | None = None,
    columns: Mapping[str, str] | None = None,
    negatives: str = "all",
    say: Callable[[str], None] | None = None,
    looking: Looking | None = None,
    progress: Callable[[int, int, float, float], None] | None = None,
) -> AlignmentRun | None:
    """Align two encoders and store the alignment; after an interruption the same call goes on where it stopped.

    Parameters
    ----------
    lrs, xp : Encoder, name or path
    sets : sequence of path
        Prepared sets, of LRS spectra and of XP spectra, each prepared as its encoder wants it; of their pools, the stars that
        both have are used.
    out : path
        Folder of the alignment. What belongs to the training lies beside it (`run_folder_of`).
    variant : {'base', 'pr', 'split'}
    size : {'small', 'paper'}
        Of heads and decoders, and of the training where `training` is not given.
    training : EncoderTraining, optional
    pairs : path, optional
        Table with identifiers of the LRS survey and of Gaia; by default both sets are taken to have ids of one catalog.
    columns : mapping of str to str, optional
        Which of its columns is which, where names do not tell.
    negatives : {'all', 'process'}
        See `transtar.train.large.aligning.NEGATIVES`.
    say : callable, optional
        Is given lines on what there is to learn from.
    looking : callable, optional
        Called with what is done, spectra done and all, before the training.
    progress : callable, optional
        As of `train_large`.

    Returns
    -------
    AlignmentRun or None
        In the first process; None in others.

    Raises
    ------
    InputError
        If an encoder or set cannot be read or used so, something else stands at `out`, or there are too few pairs.
    MismatchError
        If a set is prepared otherwise than its encoder wants it, or a training of something else stopped here.
    SettingsError
        If there is no such variant, size or setting.
    """
    training = training or training_of(size)
    settings = alignment_settings(variant, size)
    check_training(training)
    out, folder = Path(out), run_folder_of(out)
    first = Ranks.current().is_first
    by_side = together(lambda: _sets_by_side(sets))
    from_first(
        lambda: _check_out(out, folder, [one for one in (*sets, lrs, xp, pairs) if isinstance(one, str | os.PathLike)])
    )
    encoders = together(lambda: {"lrs": _encoder(lrs, "lrs"), "xp": _encoder(xp, "xp")})
    alignment = together(lambda: new_alignment(encoders["lrs"], encoders["xp"], settings, training.seed))
    objective = Aligning(alignment, negatives)
    stream = together(
        lambda: _stream(objective, alignment, by_side, training, pairs, columns, looking if first else None)
    )
    if say is not None and first:
        say(stream.told())
    rows = stream.train[:MOST_AT_FIRST]
    objective.begin_at_median(
        {name: torch.from_numpy(source.read(stream.rows[name][rows])) for name, source in stream.sources.items()}
    )
    device = Ranks.current().device(training.device)
    if from_first(lambda: _is_there(out, folder, key_of(objective, stream, training, device))):
        return _as_it_is(out, folder) if first else None
    hold_given(objective, stream, training.device, progress=_named("encoders", looking if first else None))
    made: list[AlignmentRun] = []

    def finish(history: LargeHistory) -> dict[str, Any]:
        if alignment.crossings is not None:
            with_plain_statistics(alignment.crossings)
        partners = held_out_partners(alignment, stream)
        step = {
            "step": "align", "variant": variant, "size": size, "encoders": {name: note_of(encoders[name]) for name in SIDES},
            "sets": {name: [str(path) for path in by_side[name]] for name in SIDES}, "n_pairs": stream.n_pairs,
            "n_train": len(stream.train), "negatives": negatives, "training": plain(training), "steps": history.step,
            "best_step": history.best_step, "validation_loss": history.best_loss, "partners": partners, "versions": versions(),
        }  # fmt: skip
        stored = save_alignment(_with_history(alignment, encoders, step, stream), out, dtype="float32")
        made.append(AlignmentRun(stored, history, folder, partners))
        return {"encoders": _hashes(stored)}

    train_large(objective, stream, training, folder, progress=progress, finish=finish)
    return made[0] if made else None


def training_of(size: str) -> EncoderTraining:
    """The settings of the training of a size.

    Raises
    ------
    SettingsError
        If there is no such size.
    """
    check_keys([size], TRAINING_SIZES["align"], "alignment: size")
    return TRAINING_SIZES["align"][size]


def check_training(training: EncoderTraining) -> None:
    """Refuse what would make an alignment another one without a word.

    Raises
    ------
    SettingsError
        For a batch in parts: partners would be told from those of their part alone.
    """
    if training.accumulate > 1:
        raise SettingsError(
            "alignment: accumulate must be 1, for the stars of a part would be told from each other alone; use more processes, "
            "or a smaller batch"
        )


def _is_there(out: Path, folder: Path, key: Mapping[str, Any]) -> bool:
    """Whether the alignment of this very training is at `out`."""
    noted = result_of(folder, key).get("encoders")
    return noted is not None and MARKER.fits(out) and noted == _hashes(load_alignment(out))


def _hashes(alignment: Alignment) -> dict[str, str]:
    return {name: alignment.side(name).sha256 for name in SIDES}


def _as_it_is(out: Path, folder: Path) -> AlignmentRun:
    alignment = load_alignment(out)
    return AlignmentRun(alignment, None, folder, alignment.lrs.provenance[-1].get("partners", {}))


def _check_out(out: Path, folder: Path, inputs: Sequence[Any]) -> None:
    check_alignment_out(out, inputs)
    check_run_folder(folder, inputs)


def _encoder(encoder: Encoder | str | os.PathLike, side: str) -> Encoder:
    known = load_encoder(Path(encoder)) if isinstance(encoder, str | os.PathLike) else encoder
    if not isinstance(known, Encoder):
        raise InputError(
            f"alignment: the encoder '{known.name}' ({side}) is a function of another package, which cannot be stored"
        )
    if isinstance(known.network, AlignedNetwork):
        raise InputError(
            f"alignment: the encoder '{known.name}' ({side}) is of an alignment already; take the one it was made of"
        )
    return known


def _sets_by_side(sets: Sequence[str | os.PathLike]) -> dict[str, list[Path]]:
    """Which of the sets are of XP spectra, by their grid; in whatever order they come."""
    by_side: dict[str, list[Path]] = {"lrs": [], "xp": []}
    for path in map(Path, sets):
        grid = Preprocessing.from_stored(describe_set(path)["preprocessing"], str(path)).grid
        by_side["xp" if grid == XP.name else "lrs"].append(path)
    for side, paths in by_side.items():
        if not paths:
            what = f"XP spectra, on the grid '{XP.name}'" if side == "xp" else "LRS spectra"
            raise InputError(f"alignment: none of the sets {', '.join(map(str, sets))} is of {what}; give one of each")
    return by_side


def _stream(
    objective: Aligning,
    alignment: Alignment,
    by_side: Mapping[str, Sequence[Path]],
    training: EncoderTraining,
    pairs: str | os.PathLike | None,
    columns: Mapping[str, str] | None,
    looking: Looking | None,
) -> PairedStream:
    sources = {}
    for side in SIDES:
        paths, encoder = by_side[side], alignment.side(side)
        preprocessing = Preprocessing.from_stored(describe_set(paths[0])["preprocessing"], str(paths[0]))
        require_same(encoder.preprocessing, f"the {side} encoder", preprocessing, str(paths[0]))
        accepts = _accepting(objective, side)
        sources[side] = open_source(paths, accepts, _named(f"{side} spectra", looking))
    ids = None if pairs is None else gaia_ids_of(sources["lrs"].columns, pairs, columns)
    return PairedStream(sources["lrs"], sources["xp"], training, ids)


def _accepting(objective: Aligning, side: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda flux: objective.accepts(side, flux)


def _named(what: str, looking: Looking | None) -> Callable[[int, int], None] | None:
    return None if looking is None else lambda done, total: looking(what, done, total)


def held_out_partners(alignment: Alignment, stream: PairedStream, most: int = MOST_RANKED) -> dict[str, Any]:
    """How partners among the pairs that were held out are found, one for each XP spectrum; see `AlignmentRun`."""
    # Another visit of the same star has the same partner, and would stand before it as one that is just as near.
    _, first = np.unique(stream.rows["xp"][stream.validation], return_index=True)
    rows = stream.validation[np.sort(first)][:most]
    if len(rows) < 2:
        return {}
    shared = {name: alignment.shared(stream.sources[name].read(stream.rows[name][rows]), name) for name in SIDES}
    forth, back = partner_ranks(shared["lrs"], shared["xp"]), partner_ranks(shared["xp"], shared["lrs"])
    return {"n": len(rows), "first_xp": float(np.mean(forth == 0)), "first_lrs": float(np.mean(back == 0))}


def _with_history(
    alignment: Alignment, encoders: Mapping[str, Encoder], step: dict[str, Any], stream: PairedStream
) -> Alignment:
    """Each side with its own history, and with all stars that decided anything on either side."""
    seen = [encoder.trained_on for encoder in encoders.values() if encoder.trained_on]
    seen += [stream.seen_of(name) for name in SIDES]
    trained_on = {name: np.concatenate([_column(part, name) for part in seen]) for name in TRAINED_ON_COLUMNS}
    lrs, xp = (
        replace(alignment.side(name), provenance=(*encoders[name].provenance, step), trained_on=trained_on)
        for name in SIDES
    )
    return replace(alignment, lrs=lrs, xp=xp)


def _column(seen: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A column of stars that were seen, in whatever role if that was not noted."""
    return np.asarray(seen[name]) if name in seen else np.full(len(seen["id"]), "train")
