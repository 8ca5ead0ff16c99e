"""Encoders that have seen stars which a study judges on: in spectra of the target's survey, of Gaia, or of another survey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import read_set
from ..datasets.star_pairs import gaia_ids_of
from ..encoders import Encoder, OutsideEncoder
from ..errors import InputError
from .encoder_recipe import Say
from .rows import in_both_surveys, rows_of_split
from .sample import Sample
from .spec import Study
from .study_files import locate

GAIA = "gaia-xp"
"""Survey whose spectra have Gaia's identifiers."""


def refuse_judges(
    encoder: Encoder | OutsideEncoder, part: str, study: Study, source: Path, target: Path, out: Path, say: Say
) -> None:
    """Refuse an encoder that has seen stars that the study judges on.

    Spectra of other surveys are of the same star where tables of the study have one Gaia identifier for both; where they have
    none, that is said.

    Parameters
    ----------
    encoder : Encoder or OutsideEncoder
    part : str
        Its name in the study.
    study : Study
    source, target : Path
        Prepared sets that the networks learn from, and are judged on.
    out : Path
        Of the study.
    say : callable

    Raises
    ------
    InputError
    """
    if not encoder.trained_on:
        return
    prepared = read_set(target)
    _, judged = rows_of_split(prepared, study.split, study.seeds[0], len(study.seeds))
    if study.split == "matched":
        # As of runs: stars that the source has, too, are not judged on.
        judged = judged[~in_both_surveys(str(target), str(source))[judged]]
    columns = {name: prepared.columns[name][judged] for name in ("survey", "id", "file")}
    seen, where = encoder.trained_on, f"study, encoders.{part}"
    judges = f"{len(judged)} stars of {prepared.survey} that the study judges on"
    if n := int(trained_on(columns, [seen]).sum()):
        raise InputError(f"{where}: has seen {n} of the {judges}; take another encoder")
    others = sorted({*seen["survey"].tolist()} - {*columns["survey"].tolist()})
    if not others:
        return
    judged_ids, why = _gaia_ids(columns, [study.target], study, out)
    for survey in others:
        rows = seen["survey"] == survey
        part_seen = {name: column[rows] for name, column in seen.items()}
        ids, why_not = (part_seen["id"], "") if survey == GAIA else _known_of(survey, part_seen, study, out)
        kind = "XP" if survey == GAIA else survey
        if n := int(np.isin(judged_ids[judged_ids >= 0], ids).sum()):
            raise InputError(
                f"{where}: has seen {n} of the {judges}, in {kind} spectra; let a table 'stars' of its spectra leave them out"
            )
        unknown = [int((one < 0).sum()) for one in (judged_ids, ids)]
        if unknown[0] == len(judged_ids) or unknown[1] == len(ids):
            say(
                f"{where}: whether it has seen {kind} spectra of stars that are judged on is not known: {why or why_not}"
            )
        elif any(unknown):
            say(
                f"{where}: whether it has seen {kind} spectra of stars that are judged on is known for those with a Gaia "
                f"identifier in the study's tables; {unknown[0]:,} of {len(judged_ids):,} judged on have none, and "
                f"{unknown[1]:,} of {len(ids):,} that it has seen"
            )


def _known_of(survey: str, columns: Mapping[str, np.ndarray], study: Study, out: Path) -> tuple[np.ndarray, str]:
    """Gaia's identifiers of spectra of a survey that an encoder has seen, by all tables that the study has of it."""
    samples = [
        study.source,
        *study.sources.values(),
        *(one for given in study.encoders.values() for one in given.spectra),
    ]
    pairs = [given.pairs for given in study.encoders.values() if given.pairs]
    return _gaia_ids(columns, [one for one in samples if one.survey == survey], study, out, pairs)


def _gaia_ids(
    columns: Mapping[str, np.ndarray], samples: Iterable[Sample], study: Study, out: Path, more: Iterable[str] = ()
) -> tuple[np.ndarray, str]:
    """Gaia's identifiers of spectra, -1 where no table has one; and if none has any, why the first of them has none."""
    ids, why = np.full(len(columns["id"]), -1, np.int64), ""
    for name, chosen in _tables(samples, more):
        try:
            known = gaia_ids_of(columns, locate(name, study, out), chosen)
        except InputError as error:
            why = why or str(error)
            continue
        ids = np.where(ids < 0, known, ids)
    if (ids >= 0).any():
        return ids, ""
    return ids, why or "no table that the study names has identifiers of Gaia for them"


def _tables(samples: Iterable[Sample], more: Iterable[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each table of the samples once, with what the study says of its columns."""
    tables: dict[str, Mapping[str, str]] = {name: {} for name in more}
    for one in samples:
        tables |= {name: one.columns for name in (one.labels, one.stars, one.split) if name}
    yield from tables.items()
