"""Pre-training an encoder of SpecCLIP's family on prepared sets: from folders of sets to the folder of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...encoders import Encoder, save_encoder
from ...encoders.alignment_storage import check_encoder_out
from ...encoders.encoder_storage import ENCODER, read_config_of_encoder, read_encoder
from ...encoders.specclip import new_encoder
from ...errors import InputError, MismatchError, check_keys
from ...networks.building import describe
from ...preprocess import Preprocessing
from ..settings import plain, settings_from_dict, versions
from .engine import train_large
from .large_history import LargeHistory
from .large_settings import EXECUTION, TRAINING_SIZES, EncoderTraining
from .objectives import Autoencoding, MaskedSegments, Objective
from .ranks import Ranks, from_first, together
from .run_folder import check_run_folder, differences, result_of, run_folder_of
from .run_key import key_of
from .spectra_source import open_source, preprocessing_of
from .streams import SetStream, Stream

KINDS: dict[str, Callable[..., Objective]] = {"lrs": MaskedSegments, "xp": Autoencoding}
"""The objective of each kind of encoder."""

Looking = Callable[[int, int], None]
Progress = Callable[[int, int, float, float], None]


@dataclass(frozen=True)
class EncoderRun:
    """What a pre-training has made.

    Parameters
    ----------
    encoder : Encoder
        As it is stored.
    history : LargeHistory or None
        None if the encoder was there already.
    folder : Path
        Of the training, with its losses.
    """

    encoder: Encoder
    history: LargeHistory | None
    folder: Path


def pretrain_encoder(
    kind: str,
    sets: Sequence[str | Path],
    out: str | Path,
    size: str = "small",
    training: EncoderTraining | None = None,
    *,
    network: Mapping[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
    looking: Looking | None = None,
    progress: Progress | None = None,
) -> EncoderRun | None:
    """Pre-train an encoder and store it; after an interruption the same call goes on where it stopped.

    Parameters
    ----------
    kind : {'lrs', 'xp'}
        Transformer of spectra of low resolution, with masked segments; or autoencoder of Gaia XP spectra.
    sets : sequence of path
        Prepared sets of one preprocessing, of which the pool is used, whatever labels it has.
    out : path
        Folder of the encoder. What belongs to the training lies beside it (`run_folder_of`).
    size : {'small', 'paper'}
        Of the network, and of the training where `training` is not given.
    training : EncoderTraining, optional
    network : mapping, optional
        Settings of the network other than those of its size, by name.
    say : callable, optional
        Is given a line on what there is to learn from, before the training.
    looking : callable, optional
        Called with spectra looked at and all, while the sets are opened.
    progress : callable, optional
        As of `train_large`.

    Returns
    -------
    EncoderRun or None
        In the first process; None in others.

    Raises
    ------
    InputError
        If something else stands at `out`, also an encoder of another name, network or preprocessing, or there is nothing to
        learn from.
    MismatchError
        If a set is on a grid of the other kind, or a training of something else stopped here.
    SettingsError
        If there is no such kind, size or setting.
    """
    training = training or training_of(kind, size)
    out, folders, ranks = Path(out), [Path(path) for path in sets], Ranks.current()
    folder = run_folder_of(out)
    from_first(lambda: _check_out(out, folder, folders))
    encoder = together(lambda: _new(kind, size, folders, training.seed, network or {}))
    from_first(lambda: _check_same_kind(out, encoder))
    objective = KINDS[kind](encoder.network)
    accepts = partial(objective.accepts, "flux")
    source = together(lambda: open_source(folders, accepts, looking if ranks.is_first else None))
    stream = together(lambda: SetStream(source, training))
    if say is not None and ranks.is_first:
        say(stream.told())
    device = ranks.device(training.device)
    if from_first(lambda: _is_there(out, folder, key_of(objective, stream, training, device))):
        return EncoderRun(read_encoder(out), None, folder) if ranks.is_first else None
    stored: list[Encoder] = []

    def finish(history: LargeHistory) -> dict[str, Any]:
        step = _provenance(kind, size, training, stream, history)
        done = replace(encoder, provenance=(step,), trained_on=stream.seen())
        stored.append(save_encoder(done, out, dtype="float32"))
        return {"encoder": stored[0].sha256}

    history = train_large(objective, stream, training, folder, progress=progress, finish=finish)
    return EncoderRun(stored[0], history, folder) if stored else None


def training_of(kind: str, size: str) -> EncoderTraining:
    """The settings of a training by the kind of encoder and size.

    Raises
    ------
    SettingsError
        If there is no such kind or size.
    """
    check_keys([kind], KINDS, "encoder: kind")
    check_keys([size], TRAINING_SIZES[kind], f"encoder '{kind}': size")
    return TRAINING_SIZES[kind][size]


def _new(kind: str, size: str, sets: Sequence[Path], seed: int, given: Mapping[str, Any]) -> Encoder:
    """An encoder of the grid of the sets, some settings of its network replaced."""
    preprocessing = preprocessing_of(sets)
    _check_grid(kind, sets, preprocessing)
    encoder = new_encoder(kind, size, preprocessing, seed)
    if not given:
        return encoder
    settings: Any = encoder.network.settings
    return new_encoder(kind, settings_from_dict(type(settings), {**plain(settings), **given}), preprocessing, seed)


def _check_grid(kind: str, sets: Sequence[Path], preprocessing: Preprocessing) -> None:
    is_xp = preprocessing.grid == "xp"
    if is_xp == (kind == "xp"):
        return
    wanted = "Gaia XP spectra, on the grid 'xp'" if kind == "xp" else "spectra on a grid finer than that of Gaia XP"
    raise MismatchError(
        f"{', '.join(map(str, sets))}: on the grid '{preprocessing.grid}', but an encoder '{kind}' takes {wanted}"
    )


def _check_out(out: Path, folder: Path, sets: Sequence[Path]) -> None:
    check_encoder_out(out, sets)
    check_run_folder(folder, sets)


def _check_same_kind(out: Path, encoder: Encoder) -> None:
    """Refuse to put an encoder in the place of one that it cannot take the place of: inputs and models are of that one."""
    if not ENCODER.fits(out):
        return
    config = read_config_of_encoder(out)
    before = {name: config[name] for name in ("name", "network", "preprocessing")}
    now = {"name": encoder.name, "network": describe(encoder.network), "preprocessing": encoder.preprocessing.to_dict()}
    if changed := differences(before, now):
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise InputError(
            f"{out}: is an encoder of another kind: {'; '.join(changed[:3])}{more}; choose another name for --out, or delete the "
            "folder"
        )


def _is_there(out: Path, folder: Path, key: Mapping[str, Any]) -> bool:
    """Whether the encoder of this very training is at `out`."""
    sha256 = result_of(folder, key).get("encoder")
    return sha256 is not None and ENCODER.fits(out) and read_encoder(out).sha256 == sha256


def _provenance(
    kind: str, size: str, training: EncoderTraining, stream: Stream, history: LargeHistory
) -> dict[str, Any]:
    """The step of the training as plain data."""
    return {
        "step": "pretrain encoder",
        "kind": kind,
        "size": size,
        "settings": {name: value for name, value in plain(training).items() if name not in EXECUTION},
        "sets": [str(path) for source in stream.sources.values() for path in source.paths],
        "set_hash": "+".join(hash for source in stream.sources.values() for hash in source.hashes),
        "n_train": len(stream.train),
        "n_validation": len(stream.validation),
        "n_left_out": sum(sum(source.left_out.values()) for source in stream.sources.values()),
        "steps": history.step,
        "best_step": history.best_step,
        "stopped_early": history.stopped_early,
        "at_step": [row["step"] for row in history.rows],
        "train_loss": [row["train_loss"] for row in history.rows],
        "validation_loss": [row["validation_loss"] for row in history.rows],
        "versions": versions(),
        "processes": Ranks.current().size,
        "threads": torch.get_num_threads(),
    }
