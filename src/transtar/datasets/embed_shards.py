"""Embedding in shards: rows of a prepared set encoded by several processes or jobs, put together to an input in the end.

The shards, arrays of numpy, lie in a folder beside the set, ``SET.NAME.shards``, which goes when the set has the input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, MismatchError, SettingsError, shown
from ..files import atomic_path
from ..seal import check_file
from ..shards import ROWS, Job, Outcome, ShardFolder, Shards, Task, list_sources, plan_key, share_out, whole_path
from ..shards.shard_record import DONE
from ..shards.shard_steps import do_shards
from ..version import __version__
from .gathering import embed, embeddable
from .input_rows import InputRows
from .inputs import Inputs
from .making import Without, known_encoder
from .prepared import PreparedSet, join_sets
from .set_files import SPECTRA
from .set_reader import SetReader

if TYPE_CHECKING:
    from ..encoders.registry import AnyEncoder

SUFFIX = ".npy"

BLOCKS = 4
"""Of a shard; a block is what is encoded at a time."""

REMEDY = "delete it, and give the command again"

_OPENED: dict[str, tuple[AnyEncoder, SetReader]] = {}
"""What this process has loaded: of one plan, the last."""


@dataclass(frozen=True)
class EmbedPlan:
    """What is to be done to the spectra of a set, in values that can be pickled.

    Parameters
    ----------
    encoder : str
        Its name, or whole path.
    sha256 : str
        Its hash when the run began.
    data : str
        Whole path of the set.
    block : int
        Spectra encoded at a time.
    """

    encoder: str
    sha256: str
    data: str
    block: int


def embed_folder(target: Path, name: str) -> Path:
    """Where the shards of an input lie."""
    return target.with_name(f"{target.name}.{name}.shards")


def make_embedding_shards(
    how: Shards,
    target: Path,
    source: Path,
    description: Mapping[str, Any],
    encoder: AnyEncoder | str | os.PathLike,
    noted: Mapping[str, Any],
    block: int,
) -> ShardFolder:
    """Encode what is left of the part.

    Parameters
    ----------
    how : Shards
    target, source : Path
        The set that will have the input, and the one whose spectra are read.
    description : mapping
        Of the source.
    encoder : str or path
    noted : mapping
        The note of the encoder, with ``name`` and ``sha256``.
    block : int
        Spectra encoded at a time, always the same ones together.

    Returns
    -------
    ShardFolder
        Which is done or not, as its records say.

    Raises
    ------
    SettingsError
        If the encoder is given as an object, which other processes cannot find.
    """
    if not isinstance(encoder, str | os.PathLike):
        raise SettingsError(f"in shards an encoder is given by its name or folder, not as {shown(repr(encoder))}")
    workers, threads = share_out(how.workers, how.threads)
    plan = EmbedPlan(whole_path(encoder) or "", noted["sha256"], str(source.absolute()), block)
    what = {
        "verb": "embed",
        "transtar": __version__,
        "encoder": dict(noted),
        "set": {name: description.get(name) for name in ("flux_sha256", "ivar_sha256", "stars_sha256")},
        "block": block,
        ROWS: {"all": description["n_spectra"], "each": BLOCKS * block},
    }
    folder = ShardFolder(embed_folder(target, noted["name"]), what, how.part, SUFFIX)
    do_shards(
        folder,
        lambda: list_sources([source / SPECTRA]),
        Job(embed_task, plan, folder.path / "shards", SUFFIX, threads),
        workers=workers,
        executor=how.executor,
        progress=how.progress,
    )
    return folder


def embed_task(plan: EmbedPlan, task: Task, shard: Path) -> Outcome:
    """Encode the rows of a task, and write its shard; see `transtar.shards.Job`."""
    key = plan_key(plan)
    if key not in _OPENED:
        encoder = known_encoder(plan.encoder)
        _OPENED.clear()
        _OPENED[key] = encoder, SetReader(plan.data)
    encoder, reader = _OPENED[key]
    _require(encoder, plan)
    assert task.rows is not None
    first, end = task.rows
    made = []
    for start in range(first, end, plan.block):
        # The same spectra together as without shards, so that the bits are the same.
        parts = reader.batches(plan.block, (start, min(start + plan.block, end)))
        made.append(encoded(encoder, join_sets([replace(part, further=Inputs()) for part in parts])))
    width = max(values.shape[1] for values in made)
    filled = [values if values.shape[1] else np.full((len(values), width), np.nan, np.float32) for values in made]
    if any(values.shape[1] != width for values in filled):
        raise InputError(f"the encoder '{encoder.name}' gives other numbers of values for some spectra than for others")
    rows = np.concatenate(filled)
    with atomic_path(shard, ours=True) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(rows, dtype="<f4"), allow_pickle=False)
    return Outcome(len(rows), {task.sources[0].path: len(rows)}, {}, {"width": width})


def _require(encoder: AnyEncoder, plan: EmbedPlan) -> None:
    from ..encoders import note_of

    if note_of(encoder)["sha256"] != plan.sha256:
        raise MismatchError(
            f"{plan.encoder}: was replaced by another encoder since the run began; put the former one back"
        )


def encoded(encoder: AnyEncoder, block: PreparedSet) -> np.ndarray:
    """Embeddings of a block, shape (n, width), float32; of width 0 if the encoder can make nothing of any of them."""
    spectra = block.grid_spectra()
    if not embeddable(spectra, block.preprocessing).any():
        return np.empty((len(block), 0), np.float32)
    return embed(encoder, spectra, block.preprocessing)


def width_of(folder: ShardFolder) -> int:
    """Values of each spectrum that the shards have; 0 if the encoder could make nothing of any."""
    return max(int(record.about.get("width", 0)) for record in folder.all_records())


def write_embedding(folder: ShardFolder, path: Path, name: str, grid: str) -> str:
    """Put the shards together.

    Parameters
    ----------
    folder : ShardFolder
        All of whose shards are done.
    path : Path
        File of the input, to be written.
    name : str
        Of the input.
    grid : str
        On which the spectra are.

    Returns
    -------
    str
        What is to be told of spectra without the input; '' if nothing.

    Raises
    ------
    InputError
        If a shard is damaged, or the encoder made nothing of any spectrum.
    """
    rows = InputRows(path, name)
    try:
        for record in folder.all_records():
            if record.state == DONE:
                shard = folder.shard(record.number)
                check_file(shard, record.hash, REMEDY)
                rows.append(np.load(shard, allow_pickle=False))
        rows.finish()
    finally:
        rows.close()
    return Without(rows.n, 1, rows.n_without, grid).line(name)
