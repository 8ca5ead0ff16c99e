"""Ways to damage a file, or to write the same content anew: by name, each for the formats that it fits."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .seeds import CODECS, Seed


class Unfit(Exception):
    """A mutator that does not fit this file; another one is drawn."""


@dataclass(frozen=True)
class Mutator:
    """One way to change a file.

    Parameters
    ----------
    name : str
    group : str
        'bytes', 'codec', 'file', or a format.
    change : callable
        Takes the content, decompressed unless the group is 'codec', and a `random.Random`; gives the new content. Of group
        'file' takes the path, the random numbers and all seeds, and gives nothing or the new path.
    damaged : bool
        Whether bytes are changed blindly. What is written anew by rules has its meaning from its content.
    """

    name: str
    group: str
    change: Callable
    damaged: bool = False


REGISTERED: dict[str, Mutator] = {}


def mutator(group: str, damaged: bool = False) -> Callable[[Callable], Callable]:
    """Register a function as a mutator by its own name."""

    def register(change: Callable) -> Callable:
        name = f"{group}:{change.__name__}"
        REGISTERED[name] = Mutator(name, group, change, damaged)
        return change

    return register


def all_mutators() -> dict[str, Mutator]:
    """Every mutator by name."""
    from . import (  # noqa: F401
        mutate_archives,
        mutate_bytes,
        mutate_files,
        mutate_fits,
        mutate_fits_tables,
        mutate_text,
        mutate_trees,
    )

    return REGISTERED


GROUPS = {"text": ("text",), "fits": ("fits",), "npz": ("npz",), "parquet": ("parquet",), "xml": ("xml", "text-lines"),
          "json": ("json", "yaml"), "yaml": ("yaml",), "safetensors": ("safetensors",)}  # fmt: skip
"""Groups of mutators for each format."""

OWN, BYTES, CODEC, FILE = 0.62, 0.24, 0.07, 0.07
"""How often a mutator is of the format, blind, of the compression, or of the file."""


def draw(seed: Seed, rng: random.Random) -> Mutator:
    """A mutator that may fit a seed."""
    groups = GROUPS[seed.format]
    codec = 0.25 if seed.codec else CODEC if seed.format in ("fits", "text", "xml") else 0.0
    kind = rng.choices([groups, ("bytes",), ("codec",), ("file",)], [OWN, BYTES, codec, FILE])[0]
    return rng.choice(sorted(of_groups(kind), key=lambda one: one.name))


def of_groups(groups: Iterable[str]) -> list[Mutator]:
    """Mutators of some groups."""
    return [one for one in all_mutators().values() if one.group in groups]


def apply(one: Mutator, seed: Seed, path: Path, rng: random.Random, seeds: list[Seed]) -> Path:
    """Change a file in place.

    Returns
    -------
    Path
        Of the file now, which may have got another name.

    Raises
    ------
    Unfit
        If the mutator does not fit; the file is unchanged.
    """
    if one.group == "file":
        return one.change(path, rng, seeds) or path
    content = path.read_bytes()
    _, compress, decompress = CODECS[seed.codec]
    if one.group == "codec":
        changed = one.change(content if seed.codec else gzip.compress(content), rng)
    else:
        changed = one.change(decompress(content), rng)
    if changed is None or (one.group != "codec" and changed == decompress(content)):
        raise Unfit(one.name)
    path.write_bytes(changed if one.group == "codec" else compress(changed))
    return path
