"""How an encoder of a study comes about: what decides it, and what makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..datasets import input_names
from ..encoders import Encoder, encoder_names
from .spec import Study
from .study_encoder import PCA, RANDOM, STORED, StudyEncoder

THROUGH = "through"
"""The encoder whose layers a random one has, if a study does not say."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Making:
    """What an encoder is made from.

    Parameters
    ----------
    study : Study
    out : Path
        Of the study; its sets are prepared.
    source : Path
        Prepared set that the networks learn from.
    content : callable
        Gives what changes with the content of a set.
    encoder : callable
        Gives another encoder of the study by its name, made if need be.
    say : callable
    """

    study: Study
    out: Path
    source: Path
    content: Callable[[Path], str]
    encoder: Callable[[str], Encoder]
    say: Say


@dataclass(frozen=True)
class Recipe:
    """One encoder.

    Parameters
    ----------
    decisive : list
        Plain data that changes with whatever changes the encoder: from it comes the name of its folder.
    make : callable
        Given the folder, makes the encoder there. What was interrupted goes on when it is called again, or begins anew.
    place : str
        Within the folder, where that encoder is that makes the input.
    """

    decisive: list[Any]
    make: Callable[[Path], object]
    place: str = ""


def encoder_of(study: Study, part: str) -> StudyEncoder | None:
    """What a study says of the encoder of a part, with its kind and its encoder filled in; None for a registered input."""
    given = study.encoders.get(part)
    if given is None and part not in (PCA, RANDOM, *encoder_names()) and part in input_names():
        return None
    given = given or StudyEncoder()
    kind = given.kind or (part if part in (PCA, RANDOM) else STORED)
    layers_of = study.encoders.get(THROUGH, StudyEncoder()).encoder or THROUGH
    return replace(given, kind=kind, encoder=given.encoder or (layers_of if kind == RANDOM else part))
