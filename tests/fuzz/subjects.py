"""What is put to the test: each kind of input, as a user's run has transtar read it, and the oracle that knows better."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from transtar.errors import InputError, TranstarError

from . import oracle_archives, oracle_generic, oracle_surveys, oracle_tables
from .values import differences, pixels


@dataclass(frozen=True)
class Subject:
    """One kind of input.

    Parameters
    ----------
    read : callable
        Takes a path; gives values by name, as `tests.fuzz` compares them. Raises what transtar raises.
    oracle : callable
        The same by a reader that owes transtar nothing; raises `oracle_fits.Broken`.
    agree : callable
        Takes what transtar and the oracle found; gives what differs.
    wave_rtol : float
        Of wavelengths: LAMOST's are taken for the pixels of its own grid.
    sealed : bool
        Whether the format has sums of its own, so that no damaged byte may go unnoticed.
    """

    read: Callable[[Path], dict[str, Any]]
    oracle: Callable[[Path], dict[str, Any]]
    agree: Callable[..., list[str]] = differences
    wave_rtol: float = 1e-9
    sealed: bool = False


def spectra(survey_name: str, path: Path) -> dict[str, Any]:
    """Read by `transtar.stream`, as prepare and predict do, and preprocessed, which must not fail on anything either."""
    from transtar.datasets import preprocess_batch
    from transtar.preprocess import Preprocessing
    from transtar.surveys import get_survey, stream
    from transtar.surveys.unweighted import judge_unweighted

    # The oracle knows what is written, and not what pixels without weight are worth.
    survey = replace(get_survey(survey_name), judge_unweighted=False)
    errors: list[str] = []
    out: dict[str, list] = {}
    for batch in stream(survey, [path], on_error=lambda _, message: errors.append(message)):
        out.setdefault("pixels", []).extend(
            pixels(batch.wave, batch.flux[i], None if batch.ivar is None else batch.ivar[i], batch.mask[i])
            for i in range(len(batch))
        )
        columns = {"id": batch.ids, **{k: v for k, v in batch.meta.items() if k not in ("file", "survey_flags")}}
        if "survey_flags" in batch.meta:
            columns["bad_fiber"] = batch.meta["survey_flags"] != 0
        for name, column in columns.items():
            out.setdefault(name, []).append(column)
        out.setdefault("frame", []).append(batch.frame)
        try:
            preprocess_batch(judge_unweighted(batch), survey, Preprocessing(), threads=1)
        except TranstarError as error:
            if "\n" in str(error):
                raise
    if errors:
        raise TranstarError(errors[0])
    found = {name: np.concatenate(parts) for name, parts in out.items() if name not in ("pixels", "frame")}
    return {
        **found,
        "pixels": out.get("pixels", []),
        "n": len(out.get("pixels", [])),
        "frame": "".join(dict.fromkeys(out.get("frame", []))),
    }


def page(path: Path) -> dict[str, Any]:
    """All records of a page in the cache of `transtar fetch`; those of a page that is passed over are fetched again."""
    from transtar.fetch.cache import Pages

    if not path.match("page-*.parquet"):
        raise InputError(f"{path}: not a page by its name")
    pages = Pages(path.parent)
    records = {name: pages.read(name) for name in sorted(pages)}
    if not records:
        raise InputError(f"{path}: its records are fetched again")
    several = records.values()
    return {
        "n": len(records), "names": list(records), "fields": [one.fields for one in several],
        **{name: [None if getattr(one, name) is None else getattr(one, name) for one in several]
           for name in ("wave", "flux", "ivar", "mask")},
    }  # fmt: skip


def table(path: Path) -> dict[str, Any]:
    """All columns, in the type that they have, and whole numbers of the columns that identify."""
    from transtar.glossary import LABELS
    from transtar.tables import meaning, read_table

    _, columns = read_table(path)
    found: dict[str, Any] = {"names": sorted(columns)}
    for name, column in columns.items():
        if not column.is_vector:
            found[name] = (column.natural().tolist(), column.missing.tolist())
    found["n"] = len(next(iter(columns.values())))
    if not any(meaning(name) for name in columns):
        # Whoever reads a table wants something of it.
        raise InputError(f"{path}: no column that anybody asks for")
    for name in columns:
        if meaning(name) in (*LABELS, "ra", "dec") and not columns[name].is_vector:
            columns[name].numbers()
        if _identifies(name) and not columns[name].is_vector:
            found[f"ids of {name}"] = columns[name].ids().tolist()
    return found


def _identifies(name: str) -> bool:
    return name.partition("#")[0].lower() in ("obsid", "id", "source_id")


def cells_differ(ours: dict[str, Any], theirs: dict[str, Any], wave_rtol: float = 0) -> list[str]:
    """What differs between the columns of a table and the cells that the oracle found."""
    if ours["n"] != theirs["n"]:
        return [f"{ours['n']} rows against {theirs['n']}"]
    number = Counter(name for name, _ in theirs["cells"])
    found, seen = [], dict.fromkeys(number, 0)
    for name, cells in theirs["cells"]:
        seen[name] += 1
        called = f"{name}#{seen[name]}" if number[name] > 1 else name
        called = next(
            (n for n in (called, called.removeprefix("combined_"), called.split("[")[0].strip()) if n in ours), called
        )
        if called not in ours:
            if any(cell is not None for cell in cells) and name:
                found.append(f"column {called} is gone")
            continue
        values, missing = ours[called]
        bad = next((i for i, cell in enumerate(cells) if not oracle_tables.agree(cell, values[i], missing[i])), None)
        if bad is not None:
            found.append(f"{called}, row {bad}: {values[bad]!r:.40} against {cells[bad]!r:.40}")
        if _identifies(name) and f"ids of {called}" in ours and not any(isinstance(cell, bool) for cell in cells):
            exact = [-1 if cell is None else cell for cell in cells]
            if any(
                a != -1 and not oracle_tables.agree(b, a, False)
                for a, b in zip(ours[f"ids of {called}"], exact, strict=True)
            ):
                found.append(f"identifiers of {name}")
    return found


def prepared_set(path: Path) -> dict[str, Any]:
    """All of a set."""
    from transtar.datasets import read_set

    found = read_set(path)
    columns = {f"column {name}": column for name, column in found.columns.items()}
    return {
        "n": len(found), "flux": found.flux, "ivar": found.ivar, **columns, "labels": list(found.labels),
        "preprocessing": found.preprocessing.to_dict(),
    }  # fmt: skip


def model(path: Path) -> dict[str, Any]:
    """All of a model, and what it predicts."""
    from transtar.models import Estimator

    found = Estimator.load(path)
    state = {f"weight network.{name}": tensor.numpy() for name, tensor in found.network.state_dict().items()}
    n = found.n_inputs
    with np.errstate(all="ignore"):
        predicted = found.predict(np.linspace(0.9, 1.1, 2 * n, dtype=np.float32).reshape(2, n)) if n < 10**5 else None
    return {
        "n": len(found.label_names), "labels": list(found.label_names),
        **{f"label_{part}": getattr(found, f"label_{part}") for part in ("mean", "std", "min", "max")},
        **state, "weight input_mean": found.input_mean, "weight input_std": found.input_std,
        "trained_on": found.trained_on, "limit": found.domain_limit, "surveys": list(found.surveys),
        "preprocessing": None if found.preprocessing is None else found.preprocessing.to_dict(),
        "adapter": found.adapter or {}, "finite": bool(predicted is None or np.isfinite(predicted).all()),
    }  # fmt: skip


def encoder(path: Path) -> dict[str, Any]:
    """All of an encoder, and what it gives."""
    from transtar.encoders.encoder_storage import read_encoder

    found = read_encoder(path)
    networks = {"network": found.network, **({} if found.decoder is None else {"decoder": found.decoder})}
    state = {
        f"weight {part}.{name}": tensor.numpy()
        for part, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    scalers = {name: getattr(found, name) for name in ("flux_mean", "flux_std", "target_mean", "target_std")}
    n = len(found.flux_mean)
    with np.errstate(all="ignore"):
        given = found.encode(np.linspace(0.9, 1.1, 2 * n, dtype=np.float32).reshape(2, n))
    return {
        "n": found.width, "name": found.name, **state,
        **{f"weight {name}": scaler for name, scaler in scalers.items() if scaler is not None},
        "trained_on": found.trained_on, "preprocessing": found.preprocessing.to_dict(), "finite": bool(np.isfinite(given).all()),
    }  # fmt: skip


def study(path: Path) -> dict[str, Any]:
    """A study, as plain data."""
    from dataclasses import asdict

    from transtar.studies.load import load_study

    studies = load_study(str(path))
    return {"n": 1, "leaves": dict(oracle_tables.leaves(asdict(studies["default"])))}


def preprocessing(path: Path) -> dict[str, Any]:
    """Settings of preprocessing."""
    from transtar.models import read_preprocessing
    from transtar.surveys import get_survey

    settings, thresholds = read_preprocessing(path, get_survey("lamost"))
    return {"n": 1, "leaves": dict(oracle_tables.leaves(settings.to_dict() | thresholds))}


def leaves_differ(ours: dict[str, Any], theirs: dict[str, Any], wave_rtol: float = 0) -> list[str]:
    """What is read otherwise than the text has it, among the settings that both know by the same path."""
    return [
        f"{path}: {ours['leaves'][path]!r:.40} against {text!r:.40}"
        for path, text in theirs["leaves"].items()
        if path in ours["leaves"] and not oracle_tables.same_leaf(text, ours["leaves"][path])
    ]


def settings_differ(ours: dict[str, Any], theirs: dict[str, Any], wave_rtol: float = 0) -> list[str]:
    """As `differences`; settings that a description leaves out have their defaults, and thresholds of older ones are none."""
    from transtar.quality import take_thresholds

    given, asked = ours.get("preprocessing"), theirs.get("preprocessing")
    if isinstance(given, dict) and isinstance(asked, dict):
        asked, _ = take_thresholds(asked)
        ours = ours | {"preprocessing": {name: given.get(name) for name in asked}}
        theirs = theirs | {"preprocessing": asked}
    return differences(ours, theirs, wave_rtol)


SUBJECTS = {
    "lamost": Subject(partial(spectra, "lamost"), oracle_surveys.lamost, wave_rtol=6e-6),
    "miles": Subject(partial(spectra, "miles"), oracle_surveys.miles),
    "desi": Subject(partial(spectra, "desi"), oracle_surveys.desi),
    "desi-brz": Subject(partial(spectra, "desi-brz"), partial(oracle_surveys.desi, cameras="BRZ")),
    "generic": Subject(partial(spectra, "generic"), oracle_generic.generic),
    "gaia-xp": Subject(partial(spectra, "gaia-xp"), oracle_archives.gaia_xp),
    "sparcl": Subject(partial(spectra, "sparcl"), oracle_archives.sparcl),
    "page": Subject(page, oracle_archives.page, sealed=True),
    "table": Subject(table, oracle_tables.table, cells_differ),
    "set": Subject(prepared_set, oracle_tables.prepared_set, settings_differ, sealed=True),
    "model": Subject(model, oracle_tables.model, settings_differ),
    "encoder": Subject(encoder, oracle_tables.encoder, settings_differ, sealed=True),
    "study": Subject(study, oracle_tables.settings, leaves_differ),
    "preprocessing": Subject(preprocessing, oracle_tables.settings, leaves_differ),
}


class Listener(logging.Handler):
    """Keeps what transtar tells."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


def listen() -> Listener:
    """Hear what transtar tells, in place of standard error."""
    listener = Listener()
    logger = logging.getLogger("transtar")
    logger.handlers, logger.propagate = [listener], False
    return listener
