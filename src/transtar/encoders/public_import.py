"""Public checkpoints of SpecCLIP into folders of encoders and alignments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError, SettingsError, shown
from ..networks.checkpoint_archive import CheckpointArchive
from .alignment_storage import check_alignment_out, check_encoder_out, save_alignment
from .encoder import Encoder
from .encoder_storage import save_encoder
from .public_alignment import read_public_alignment
from .public_weights import Checkpoint, kind_of_checkpoint, read_public_encoder


def import_checkpoints(checkpoints: Sequence[str | Path], out: str | Path, name: str = "") -> Iterator[Encoder]:
    """Turn public checkpoints into encoders and alignments on disk; all are looked at before the first is written.

    Parameters
    ----------
    checkpoints : sequence of path
    out : path
        The folder of the encoder or alignment; of several checkpoints, that in which each gets one, named as its file is.
    name : str
        Under which networks take the embedding, for a single checkpoint; by default as `read_public_encoder` and
        `read_public_alignment` say.

    Yields
    ------
    Encoder
        As it is stored, in single precision, as the public weights are; of an alignment two.

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
        # Not one of the two, with nothing to tell which.
        if folders.count(folder) > 1:
            raise InputError(
                f"{shown(path, 300)}: another checkpoint would go into {shown(folder, 300)}, too; import them one by one"
            )
    kinds = []
    for path, folder in zip(paths, folders, strict=True):
        with CheckpointArchive(path) as archive:
            kinds.append(kind_of_checkpoint(Checkpoint(archive, archive.state())))
        check_out = check_alignment_out if kinds[-1] == "alignment" else check_encoder_out
        check_out(folder)
    return (one for each in zip(kinds, paths, folders, strict=True) for one in _imported(*each, name))


def _imported(kind: str, path: Path, folder: Path, name: str) -> list[Encoder]:
    if kind == "alignment":
        alignment = save_alignment(read_public_alignment(path, name), folder, dtype="float32")
        return [alignment.lrs, alignment.xp]
    return [save_encoder(read_public_encoder(path, name), folder, dtype="float32")]
