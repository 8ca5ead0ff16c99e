"""Whole copies of models: into the user's store under a name, into a folder, or into one to share."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError
from ..files import atomic_folder
from ..telling import tell
from .card import model_card
from .estimator import Estimator
from .hub_card import LICENCE, RULE, UNKNOWN, Scores, hub_card, is_shared
from .named import SHIPPED, find_model, joint_network, store_folder
from .storage import CARD, FILES, MODEL, check_replaceable, load_estimator, read_config, save_estimator

LARGEST_CARD = 1 << 20
"""Bytes of a card that is read."""


def import_model(folder: str | Path, name: str) -> Path:
    """Copy a model into the store, where it goes by `name`; one imported before under that name is replaced.

    Raises
    ------
    InputError
        If `folder` is no readable model or one of its files is a link, something else stands in the store, or the name cannot
        serve or belongs to a model that ships.
    TranstarError
        If the disk is full; a model that stood there stays.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InputError(f"'{name}' cannot name a model: letters, digits, '.', '_' and '-' only (--name)")
    if (SHIPPED / name).is_dir():
        raise InputError(f"'{name}' is the name of a model that ships with transtar; choose another (--name)")
    return export_model(folder, store_folder() / name)


def export_model(model: str | Path, out: str | Path) -> Path:
    """Copy a model, given by name or folder, into a folder that needs nothing else; a model that stood there is replaced.

    Parameters
    ----------
    model : str or path
    out : str or path

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        If `model` is no readable model or one of its files is a link, or something else than a model stands at `out`.
    TranstarError
        If the disk is full; a model that stood there stays.
    """
    source, target = find_model(model), Path(out)
    check_replaceable(target, [source])
    if joint_network(source) is not None:
        card = (source / CARD).read_text(encoding="utf-8")
        save_estimator(load_estimator(source), target, dtype="float16", card=card)
        return target
    # The model alone: whatever else its folder holds is nobody's business here.
    names = [name for name in FILES if os.path.lexists(source / name)]
    for name in names:
        _open_regular(source / name).close()
    load_estimator(source)
    with atomic_folder(target, marker=MODEL) as temporary:
        for name in names:
            with _open_regular(source / name) as content, (temporary / name).open("wb") as copy:
                shutil.copyfileobj(content, copy)
        # What was loaded above may have been changed since.
        load_estimator(temporary)
    return target


def share_model(
    model: str | Path,
    out: str | Path,
    scores: Sequence[Scores] = (),
    licence: str | None = None,
    terms: Mapping[str, str] | None = None,
) -> Path:
    """Copy a model into a folder as model hubs expect it: `export_model` with the card of `transtar.models.hub_card`.

    Parameters
    ----------
    model, out : str or path
    scores : sequence of Scores
        As from `transtar.evaluate.score_model`.
    licence : str, optional
        Identifier of the licence of the weights; that of transtar for models that ship with it, and unknown for others.
    terms : mapping of str to str, optional
        By survey that it learnt from, whose labels they were and under which terms.

    Returns
    -------
    Path
        `out`. A card that was made for sharing before is kept as it is if nothing new is said.

    Raises
    ------
    InputError, SettingsError, TranstarError
        As `export_model` and `hub_card`.
    """
    source, target = find_model(model), Path(out)
    check_replaceable(target, [source])
    shipped = source.resolve().parent == SHIPPED.resolve()
    given = licence if licence is not None else LICENCE if shipped else UNKNOWN
    # Before a card without end is copied.
    _read_card(source / CARD)
    with tempfile.TemporaryDirectory() as folder:
        copy = export_model(source, Path(folder) / "model")
        old = _read_card(copy / CARD)
        said = bool(scores or terms) or licence is not None
        if said and old.startswith(RULE) and not is_shared(old):
            raise InputError(
                f"{source / CARD}: has front matter of its own, which would be lost; take it out, or write licence and scores "
                "into it"
            )
        if said and not scores and is_shared(old) and "\nmodel-index:\n" in old:
            tell(
                f"{source / CARD}: its scores are not on the new card; measure them again with --scores CATALOG LABELS"
            )
        _without_folders(copy, old)
        if said or not old.startswith(RULE):
            card = hub_card(
                read_config(copy), _read_card(copy / CARD), source.resolve().name, _seen(load_estimator(copy)),
                scores, given, terms,
            )  # fmt: skip
            (copy / CARD).write_text(card, encoding="utf-8")
        return export_model(copy, target)


def _read_card(path: Path) -> str:
    """The text of a card; '' if there is none."""
    if not path.is_file():
        return ""
    if path.stat().st_size > LARGEST_CARD:
        raise InputError(f"{path}: has {path.stat().st_size:,} bytes and is larger than any card; make it shorter")
    return path.read_text(encoding="utf-8", errors="replace")


def _without_folders(folder: Path, card: str) -> None:
    """Take the folders where encoders lay out of the description of a model: they are nobody else's business."""
    estimator = load_estimator(folder)
    notes = {
        part: note | {"place": ""} if Path(note["place"]).is_absolute() else note
        for part, note in estimator.encoders.items()
    }
    if notes != estimator.encoders:
        made = card == model_card(read_config(folder))
        save_estimator(replace(estimator, encoders=notes), folder, card=None if made else card)


def _seen(model: Estimator) -> dict[str, dict[str, int]]:
    """By each survey that took part in a model's training, or in that of its lines or encoder, its spectra by role."""
    steps = [str(step["survey"]) for step in model.provenance if step.get("survey")]
    names = model.trained_on.get("survey", np.array([], str)).astype(str)
    roles = model.trained_on.get("role", np.full(len(names), "train")).astype(str)
    seen: dict[str, dict[str, int]] = {part: {} for step in steps for part in step.split("+")}
    for survey in np.unique(names[names != ""]).tolist():
        kinds, counts = np.unique(roles[names == survey], return_counts=True)
        seen[survey] = dict(zip(kinds.tolist(), counts.tolist(), strict=True))
    return seen


def _open_regular(path: Path) -> BinaryIO:
    """Open a file to copy it, but neither a link, which may lead anywhere, nor a pipe or device, which may never end.

    Raises
    ------
    InputError
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise InputError(
            f"{path}: is a {'link' if path.is_symlink() else 'folder, pipe or device'}; only regular files are imported "
            "(cp -rL makes a copy of such)"
        )
    return path.open("rb")
