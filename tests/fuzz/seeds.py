"""The small files that are changed: one of each layout that transtar reads, made here; and real ones where they are at hand."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CODECS: dict[str, tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "": ("", lambda content: content, lambda content: content),
    "gz": (".gz", lambda content: gzip.compress(content, 6, mtime=0), gzip.decompress),
    "bz2": (".bz2", bz2.compress, bz2.decompress),
    "xz": (".xz", lzma.compress, lzma.decompress),
}
"""Ending, compressor and decompressor by name."""


@dataclass(frozen=True)
class Seed:
    """One file of a corpus.

    Parameters
    ----------
    name : str
        Of its folder.
    kind : str
        A key of `subjects.SUBJECTS`.
    format : str
        What the mutators know it as: fits, text, npz, parquet, xml, json, yaml, safetensors.
    folder : Path
        All files that belong to it.
    target : str
        The file that is changed, in the folder.
    entry : str
        What transtar is given, in the folder; '' for the folder itself.
    codec : str
        A key of `CODECS`.
    share : float
        How often it is taken, beside others of its kind.
    """

    name: str
    kind: str
    format: str
    folder: Path
    target: str
    entry: str
    codec: str = ""
    share: float = 1.0


def build_corpus(folder: Path, data: Path | None = None, kinds: tuple[str, ...] = ()) -> list[Seed]:
    """Write all seeds below a folder.

    Parameters
    ----------
    folder : Path
    data : Path, optional
        Real data, of which some files are copied.
    kinds : tuple of str
        Only these kinds, all if empty.

    Returns
    -------
    list of Seed
    """
    from . import seeds_own, seeds_real, seeds_spectra, seeds_tables

    parts = (seeds_spectra.write, seeds_tables.write, seeds_own.write)
    seeds = [seed for write in parts for seed in write(folder, kinds)]
    if data is not None:
        seeds += seeds_real.write(folder, data, kinds)
    return seeds


def one_file(
    root: Path, name: str, kind: str, format: str, file: str, codec: str = "", share: float = 1.0
) -> tuple[Path, Seed]:
    """Where to write a seed of one file, and the seed; `packed` compresses it."""
    folder = root / name
    folder.mkdir(parents=True)
    called = file + CODECS[codec][0]
    return folder / file, Seed(name, kind, format, folder, called, called, codec, share)


def pack(path: Path, seed: Seed) -> Seed:
    """Compress a file that was just written, as the seed says."""
    if seed.codec:
        (path.parent / seed.target).write_bytes(CODECS[seed.codec][1](path.read_bytes()))
        path.unlink()
    return seed


def copies(folder: Path, seed: Seed) -> Path:
    """A fresh copy of all files of a seed below `folder`; returns the target in it."""
    shutil.copytree(seed.folder, folder / seed.name, symlinks=True)
    for root, _, names in os.walk(folder / seed.name):
        for name in names:
            (Path(root) / name).chmod(0o644)
    return folder / seed.name / seed.target


def wanted(kinds: tuple[str, ...], *names: str) -> Iterator[str]:
    """Those of some kinds that are wanted."""
    yield from (name for name in names if not kinds or name in kinds)
