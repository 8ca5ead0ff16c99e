"""Embeddings of the spectra of a prepared set, computed once by an encoder and kept in the set as an input."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import InputError, MismatchError, SettingsError, shown
from ..files import check_replaceable
from ..preprocess import Preprocessing
from ..progress import followed
from ..seal import is_as_noted
from ..shards import Shards, remove_shards, require_done
from ..telling import tell
from .embed_shards import make_embedding_shards, width_of, write_embedding
from .gathering import embed, embeddable
from .input_writer import check_takes_inputs, put_input, same_file, same_spectra
from .inputs import Inputs
from .kept_rows import KeptRows
from .making import Without, encoder_is_native, known_encoder, made_by
from .prepared import PreparedSet, join_sets
from .set_files import DESCRIPTION, SET, describe_set
from .set_reader import stream_set

if TYPE_CHECKING:
    from ..encoders.registry import AnyEncoder

BLOCK = 4096
"""Spectra encoded, and kept, at a time; always the same ones together, so that a run that was killed gives the same bits."""


def embed_set(
    folder,
    encoder: AnyEncoder | str | os.PathLike,
    out=None,
    *,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
    shards: Shards | None = None,
) -> str:
    """Add the embeddings of all spectra to a prepared set, as an input with the name of the encoder.

    Finished parts are kept beside the set, in a folder ``.transtar-embed-...``, until all is complete: if the process is
    killed, the same call continues from there and gives the same file. The memory needed does not grow with the number of
    spectra.

    Parameters
    ----------
    folder : path
        Of the prepared set.
    encoder : Encoder or OutsideEncoder, name or path
        An encoder of native spectra can be used only in `prepare`. For an alignment, the side that fits the spectra of the
        set is used.
    out : path, optional
        Folder of the set that will have the input; by default `folder` itself. A new set shares the spectra by hard links;
        an existing one must have the same spectra.
    replace : bool
        Replace an input of that name that was made by another encoder, or by an unknown one.
    progress : callable, optional
        Called with the number of finished spectra and the number of all.
    shards : Shards, optional
        Spectra are encoded in shards, by several processes or jobs, and the same call goes on where it stopped; the last part
        puts the input into the set. The encoder is given by name or folder.

    Returns
    -------
    str
        One line that says what was done, or which shards are left to other parts. A set that already has the input of that
        encoder is not changed.

    Raises
    ------
    InputError
        If there is no set, it is damaged or changes during the run, the encoder fails, or an input would be replaced.
    MismatchError
        If the set was prepared otherwise than the encoder takes its spectra.
    SettingsError
        If `encoder` is not an encoder, or takes native spectra.
    TranstarError
        If the disk is full.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.embed_set("sets/miles", "through")
    "input 'through' of 30 spectra: 128 values each by encoder 12565ab659e8"
    >>> ts.read_set("sets/miles").stars("feh", input="through").inputs.shape
    (30, 128)
    """
    source, target = Path(folder), Path(folder if out is None else out)
    given = _side_of(encoder, source)
    encoder = known_encoder(given)
    name = encoder.name
    if encoder_is_native(encoder):
        raise SettingsError(
            f"the encoder '{name}' takes spectra as they are read from files, which a prepared set does not have; let prepare "
            f"make its input: transtar prepare --input {name}"
        )
    description = describe_set(source)
    check_takes_inputs(source, description)
    source, description = _source_of(source, target, description)
    preprocessing = Preprocessing.from_stored(description["preprocessing"], str(source))
    noted: dict[str, Any] = {"provenance": made_by(encoder, preprocessing, str(source))}
    wanted = noted["provenance"]["encoder"]["sha256"]
    file = _file_of(source, description, name, noted["provenance"], replace)
    if file is not None and source == target:
        KeptRows(target.parent, _key(description, noted["provenance"]), description["n_spectra"], BLOCK).forget()
        return f"has the input '{name}' of encoder {wanted[:12]} already"
    if file is not None:
        noted["n_inputs"] = description["inputs"][name]["n_inputs"]
        put_input(source, target, description, name, noted, lambda path: same_file(file, path))
        return f"input '{name}' of encoder {wanted[:12]} as {source} has it"
    if shards is not None:
        return _in_shards(shards, source, target, description, given, name, noted)
    with KeptRows(target.parent, _key(description, noted["provenance"]), description["n_spectra"], BLOCK) as kept:
        n_before = kept.n_done
        try:
            with followed(progress, "embed") as moved:
                make_embeddings(kept, encoder, source, moved)
            missing = _told(kept, name, source, description["preprocessing"]["grid"])
            noted["n_inputs"] = kept.width
            put_input(source, target, description, name, noted, lambda path: same_file(kept.path, path))
        except KeyboardInterrupt:
            if kept.n_done:
                tell(
                    f"{source}: {kept.n_done:,} of {kept.n:,} embeddings are kept; the same command resumes from there"
                )
            raise
        except InputError:
            with suppress(InputError, MismatchError):
                if describe_set(source)["flux_sha256"] != description["flux_sha256"]:
                    kept.discard()
            raise
        kept.discard()
    if missing:
        tell(f"{target}: {missing}")
    before = f", {n_before:,} of them made before" if n_before else ""
    return f"input '{name}' of {kept.n:,} spectra{before}: {kept.width:,} values each by encoder {wanted[:12]}"


def _in_shards(
    how: Shards, source: Path, target: Path, description: dict, encoder: Any, name: str, noted: dict[str, Any]
) -> str:
    note = noted["provenance"]["encoder"]
    run = make_embedding_shards(how, target, source, description, encoder, note, BLOCK)
    if line := require_done(run, target):
        return line
    noted["n_inputs"] = width_of(run)
    if not noted["n_inputs"]:
        raise InputError(_nothing(source, description["n_spectra"]))
    lines: list[str] = []

    def write(path: Path) -> None:
        try:
            lines.append(write_embedding(run, path, name, description["preprocessing"]["grid"]))
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    put_input(source, target, description, name, noted, write)
    remove_shards(run)
    if lines[0]:
        tell(f"{target}: {lines[0]}")
    n = description["n_spectra"]
    return f"input '{name}' of {n:,} spectra: {noted['n_inputs']:,} values each by encoder {note['sha256'][:12]}"


def _nothing(source: Path, n: int) -> str:
    return (
        f"{source}: none of its {n:,} spectra has a flux to encode; Gaia XP spectra also need enough good points, which those "
        "without BP do not have"
    )


def _side_of(encoder: AnyEncoder | str | os.PathLike, source: Path) -> AnyEncoder | str | os.PathLike:
    """Of the folder of an alignment, that of its encoder which takes spectra like those of the set; else the encoder itself."""
    from ..encoders.alignment_storage import is_alignment, side_folder

    if not isinstance(encoder, str | os.PathLike) or not is_alignment(encoder):
        return encoder
    settings = Preprocessing.from_stored(describe_set(source)["preprocessing"], str(source))
    return side_folder(encoder, settings, str(source))


def _source_of(source: Path, target: Path, description: dict) -> tuple[Path, dict]:
    """The set to take the spectra from, and its description: the target if it is there, so that it keeps its other inputs.

    Raises
    ------
    InputError
        If something else is at the target.
    """
    if os.path.realpath(source) == os.path.realpath(target):
        # A link to the set is told before the work, not after it.
        check_replaceable(target, SET)
        return source, description
    if not (target / DESCRIPTION).is_file():
        check_replaceable(target, SET, [source])
        return source, description
    check_replaceable(target, SET)
    of_target = describe_set(target)
    if not same_spectra(description, of_target):
        raise InputError(f"{target}: is a set of other spectra or labels than {source}; choose another name for --out")
    return target, of_target


def _file_of(source: Path, description: dict, name: str, provenance: Mapping, replace: bool) -> Path | None:
    """The file of the input, if the set has it as the encoder makes it.

    Raises
    ------
    InputError
        If the set has another input of that name, which is not to go.
    """
    noted = description.get("inputs", {}).get(name)
    if noted is None:
        return None
    maker = noted["provenance"].get("encoder")
    sha256, wanted = str(maker.get("sha256", "")) if isinstance(maker, dict) else "", provenance["encoder"]["sha256"]
    if sha256 == wanted:
        return source / noted["file"] if is_as_noted(source / noted["file"], noted["sha256"]) else None
    if not replace:
        which = f"encoder {shown(sha256[:12])}" if sha256 else "no encoder that was noted"
        raise InputError(
            f"{source}: has an input '{name}' of {which}, not of encoder {wanted[:12]}; --replace puts the new one in its place"
        )
    return None


def _key(description: Mapping, provenance: Mapping) -> str:
    """64 hexadecimal digits that change with whatever decides the values."""
    note = provenance["encoder"]
    of_set = [description["n_spectra"], description["flux_sha256"], provenance["preprocessing_hash"]]
    return hashlib.sha256(json.dumps([BLOCK, *of_set, note["name"], note["sha256"]]).encode()).hexdigest()


class Rows(Protocol):
    """What takes up the rows of an embedding, such as `KeptRows`."""

    @property
    def n(self) -> int:
        """Rows in all."""

    @property
    def n_done(self) -> int:
        """Rows that are made."""

    @property
    def width(self) -> int:
        """Values of each row; 0 while none is made."""

    def append(self, values: np.ndarray) -> None:
        """Add the rows of the next block, shape (n, width), float32."""

    def discard(self) -> None:
        """Have them deleted at the end."""


def make_embeddings(
    kept: Rows, encoder: AnyEncoder, source: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Encode the blocks that are not made yet; all of the set is read, so that its checksums are compared.

    Parameters
    ----------
    kept : Rows
    encoder : Encoder or OutsideEncoder
        One that takes spectra on the grid.
    source : Path
        The prepared set.
    progress : callable, optional
        As of `embed_set`.

    Raises
    ------
    InputError
        If the set is damaged, the encoder fails, or no spectrum can be encoded (`embeddable`).
    MismatchError
        If the set was prepared otherwise than the encoder takes its spectra.
    """
    end = 0
    unknown: list[int] = []
    for block in _blocks(_read(source, kept)):
        end += len(block)
        if end > kept.n_done:
            unknown.append(len(block))
            spectra = block.grid_spectra()
            if embeddable(spectra, block.preprocessing).any():
                values = embed(encoder, spectra, block.preprocessing)
                # Before the first spectrum that it takes, the encoder has not said how many values it gives.
                for n in unknown[:-1]:
                    kept.append(np.full((n, values.shape[1]), np.nan, np.float32))
                kept.append(values)
                unknown = []
        if progress is not None:
            progress(end, kept.n)
    for n in unknown if kept.width else ():
        kept.append(np.full((n, kept.width), np.nan, np.float32))
    if not kept.width:
        raise InputError(_nothing(source, end))
    if kept.n_done != kept.n:
        raise InputError(f"{source}: {end:,} spectra where {kept.n:,} were expected; give the command again")


def _read(source: Path, kept: Rows) -> Iterator[PreparedSet]:
    """The spectra in batches; of a set that turns out to be damaged nothing stays that would be taken up."""
    try:
        yield from stream_set(source, BLOCK)
    except InputError:
        kept.discard()
        raise


def _blocks(parts: Iterable[PreparedSet]) -> Iterator[PreparedSet]:
    """The spectra in blocks of `BLOCK`, and the rest."""
    waiting: list[PreparedSet] = []
    for part in parts:
        waiting.append(replace(part, further=Inputs()))
        while sum(map(len, waiting)) >= BLOCK:
            joined = join_sets(waiting)
            yield joined.select(slice(BLOCK))
            waiting = [joined.select(slice(BLOCK, None))] if len(joined) > BLOCK else []
    if waiting:
        yield join_sets(waiting)


def _told(kept: KeptRows, name: str, source: Path, grid: str) -> str:
    """What is to be told of spectra without the input; of an encoder that makes nothing at all, nothing is kept.

    Raises
    ------
    InputError
        If the encoder made nothing of any spectrum.
    """
    values = np.load(kept.path, mmap_mode="r", allow_pickle=False)
    starts = range(0, len(values), BLOCK)
    n_without = sum(int((~np.isfinite(values[start : start + BLOCK]).all(axis=1)).sum()) for start in starts)
    try:
        # At least one spectrum was encoded, or there would be no values.
        return Without(kept.n, 1, n_without, grid).line(name)
    except InputError as error:
        kept.discard()
        raise InputError(f"{source}: {error}") from error
