"""Public checkpoints of SpecCLIP into folders of encoders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import InputError, SettingsError, shown
from ..files import check_replaceable, make_parent
from ..networks.checkpoint_archive import CheckpointArchive
from .encoder import Encoder
from .encoder_storage import ENCODER, save_encoder
from .public_weights import Checkpoint, kind_of_checkpoint, read_public_encoder


def import_checkpoints(checkpoints: Sequence[str | Path], out: str | Path, name: str = "") -> Iterable[Encoder]:
    """Turn public checkpoints into encoders on disk, one after the other; all are looked at before the first is written.

    Parameters
    ----------
    checkpoints : sequence of path
    out : path
        The folder of the encoder; of several checkpoints, the folder in which each gets one that is named as its file is.
    name : str
        Under which networks take the embedding, for a single checkpoint; by default as `read_public_encoder` says.

    Yields
    ------
    Encoder
        As it is stored, in single precision, as the public weights are.

    Raises
    ------
    InputError
        If a checkpoint is none that can be read, two would go into one folder, or something else than an encoder stands there.
    SettingsError
        If one name is given to several.
    """
    paths = [Path(path) for path in checkpoints]
    if name and len(paths) > 1:
        raise SettingsError(f"one name, '{shown(name)}', for {len(paths)} checkpoints; import them one by one")
    folders = [Path(out)] if len(paths) == 1 else [Path(out) / path.stem for path in paths]
    for path, folder in zip(paths, folders, strict=True):
        if folders.count(folder) > 1:
            raise InputError(
                f"{shown(path, 300)}: another checkpoint would go into {shown(folder, 300)}, too; import them one by one"
            )
        with CheckpointArchive(path) as archive:
            kind_of_checkpoint(Checkpoint(archive, archive.state()))
        check_replaceable(folder, ENCODER)
    return (_imported(path, folder, name) for path, folder in zip(paths, folders, strict=True))


def _imported(path: Path, folder: Path, name: str) -> Encoder:
    encoder = read_public_encoder(path, name)
    make_parent(folder)
    return save_encoder(encoder, folder, dtype="float32")
