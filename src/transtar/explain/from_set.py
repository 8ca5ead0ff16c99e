"""Looking into models by the stars of a prepared set: all that ``transtar explain`` does but the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set
from ..errors import InputError, SettingsError
from ..files import check_files, check_writable
from ..models import Estimator, folded, load_models, name_models
from ..preprocess import require_same
from ..progress import progress_bar
from ..simulate.instruments.instrument import INSTRUMENTS
from ..simulate.mocks.line_correction import lines_of_model, load_lines
from ..simulate.mocks.moved import STEPS
from ..telling import note
from .chosen_stars import labelled_stars, labels_of, unseen_stars
from .landscape import Landscape, check_grid, loss_landscape, save_landscapes
from .lines import Line, Share, read_lines, resolved
from .physical import require_testable, run_physical_test
from .response import PhysicalTest
from .saliency import Saliency, saliency
from .stored_results import LINES, RESPONSE, SALIENCY, WEIGHTS, shares, write_saliency, write_shares, write_test

Say = Callable[[str], None]


@dataclass(frozen=True)
class Explained:
    """What models of a label have learnt, as it was written.

    Parameters
    ----------
    saliency : Saliency
    lines : tuple of Line
        Those that the grid resolves.
    shares : dict of str to list of Share
        Of the gradient of each model.
    test : PhysicalTest or None
        None where the stars do not allow it.
    """

    saliency: Saliency
    lines: tuple[Line, ...]
    shares: dict[str, list[Share]]
    test: PhysicalTest | None


def explain_saliency(
    models: Sequence[str | Path],
    data: str | Path,
    out: str | Path,
    *,
    label: str = "feh",
    regime: str = "all",
    split: str = "test",
    instrument: str | None = None,
    lines: str = "auto",
    n_stars: int = 500,
    seed: int = 0,
    encoders: Sequence[str | Path] = (),
    say: Say = note,
) -> Explained:
    """Compute the saliency of models side by side, run the physical test on them, and write both.

    Parameters
    ----------
    models : sequence of str or path
        Folders or names.
    data : path
        Prepared set.
    out : path
        Folder of the tables.
    label : str
        Label whose prediction is explained.
    regime : {'all', 'poor', 'rich'}
        Stars of the saliency.
    split : {'test', 'pool', 'all'}
        Part of the set.
    instrument : str, optional
        For the physical test; that of the set's survey if not given.
    lines : str
        Correction of synthetic lines: name, file, 'none', or 'auto' for that of the mock stars that the first model learnt from.
    n_stars : int
        Stars of the physical test at most, drawn at random.
    seed : int
    encoders : sequence of str or path
        Encoders that the models need and that are not where they were; gradients go through them to the spectra.
    say : callable
        Takes lines on what is left out.

    Returns
    -------
    Explained

    Raises
    ------
    InputError
        If a model or the set cannot be read, no star is left, or something of others stands where tables are written.
    MismatchError
        If the set was preprocessed otherwise than the models want it, or an encoder is another than they need.
    SettingsError
        If there is no such instrument.
    """
    out = Path(out)
    check_files([out / name for name in (SALIENCY, LINES, RESPONSE, WEIGHTS)], [*models, data])
    check_writable(out / "figures")
    if instrument is not None and instrument not in INSTRUMENTS:
        raise SettingsError(f"no instrument '{instrument}'; known instruments: {', '.join(INSTRUMENTS)}")
    if lines not in ("auto", "none"):
        # A misspelt name is told before anything is computed.
        load_lines(lines)
    estimators, prepared = _read(models, data, encoders)
    estimators = [_folded(model, name) for model, name in zip(estimators, models, strict=True)]
    named = dict(zip(name_models(models), estimators, strict=True))
    stars, by_regime = unseen_stars(prepared, estimators, split, str(data), say)
    if regime not in by_regime or not by_regime[regime].any():
        raise InputError(f"{data}: no star of the regime '{regime}' among the {len(stars)} chosen")
    wave = prepared.preprocessing.wavelengths.wave
    computed = saliency(named, stars.flux[by_regime[regime]], wave, label, regime)
    write_saliency(out, computed)
    listed = read_lines()
    kept = resolved(listed, wave)
    if len(kept) < len(listed):
        grid = prepared.preprocessing.grid
        say(
            f"{len(listed) - len(kept)} of {len(listed)} lines are narrower than the pixels of the grid '{grid}': left out"
        )
    by_model = shares(computed, kept)
    write_shares(out, by_model)
    try:
        test = _physical_test(named, label, stars, by_regime, instrument, lines, n_stars, seed, say)
    except InputError as error:
        say(f"no physical test: {error}")
        test = None
    if test is not None:
        write_test(out, test, wave)
    return Explained(computed, kept, by_model, test)


def _physical_test(
    models: Mapping[str, Estimator],
    label: str,
    stars: PreparedSet,
    by_regime: Mapping[str, np.ndarray],
    instrument: str | None,
    lines: str,
    n_stars: int,
    seed: int,
    say: Say,
) -> PhysicalTest:
    """The test on stars drawn at random; an InputError says why there is none."""
    name = instrument or stars.survey
    if name not in INSTRUMENTS:
        raise InputError(f"'{name}' is not one of {', '.join(INSTRUMENTS)}; choose one of them with --instrument")
    require_testable(name, labels_of(stars))
    if lines == "auto":
        try:
            lines = lines_of_model(next(iter(models.values())).provenance) or "none"
        except InputError as error:
            raise InputError(f"{error} (--lines)") from error
    drawn = np.random.default_rng(seed).permutation(len(stars))[:n_stars]
    drawn.sort()
    n_spectra = len(drawn) * (2 * len(STEPS) + 1)
    with progress_bar(total=n_spectra, unit="spectra", desc="physical test") as bar:
        test, spectra = run_physical_test(
            models,
            label,
            stars.select(drawn),
            {regime: mask[drawn] for regime, mask in by_regime.items()},
            instrument=name,
            lines=None if lines == "none" else load_lines(lines),
            ivar=stars.ivar,
            progress=bar.update,
        )
    left = ", ".join(f"{n} {reason}" for reason, n in spectra.left_out.items()) or "none"
    say(
        f"physical test on {len(spectra.rows)} of {len(drawn)} stars drawn, as {name} sees them, line correction {lines}; "
        f"left out: {left}"
    )
    return test


def explain_landscape(
    models: Sequence[str | Path],
    data: str | Path,
    out: str | Path,
    *,
    label: str = "feh",
    regime: str = "poor",
    split: str = "test",
    base: str | Path | None = None,
    n_seeds: int = 5,
    n_points: int = 21,
    extent: float = 3.0,
    encoders: Sequence[str | Path] = (),
    say: Say = note,
) -> tuple[dict[str, Landscape], list[Path]]:
    """Compute the loss around the weights of models over planes along random directions, and write it.

    Parameters
    ----------
    models, data, out, label, split, encoders, say
        As in `explain_saliency`.
    regime : {'poor', 'rich', 'all'}
        Stars whose loss is computed.
    base : path, optional
        Model before fine-tuning: its loss is shown where all weights moved.
    n_seeds, n_points, extent
        As in `loss_landscape`.

    Returns
    -------
    landscapes : dict of str to Landscape
    written : list of Path

    Raises
    ------
    InputError
        If a model or the set cannot be read, a model has no such label, no star is left, or something of others stands where
        tables and figures are written.
    MismatchError
        If the set was preprocessed otherwise than the models want it.
    SettingsError
        If the planes cannot be.
    """
    check_grid(n_seeds, n_points, extent)
    out = Path(out)
    written = [out / name for name in ("landscape.npz", "landscape.csv")]
    figures = [out / "figures" / f"landscape.{kind}" for kind in ("pdf", "png")]
    check_files([*written, *figures], [*models, base, data])
    paths = [*models, *([base] if base else [])]
    estimators, prepared = _read(paths, data, encoders, label)
    stars = labelled_stars(prepared, estimators, label, split, regime, str(data), say)
    before = estimators.pop() if base else None
    names = name_models(models)
    landscapes = {}
    with progress_bar(total=len(names) * n_seeds, unit="plane", desc="landscape") as bar:
        for name, path, model in zip(names, models, estimators, strict=True):
            try:
                landscapes[name] = loss_landscape(
                    model, stars.input(model.input, model.encoders), stars.targets([label])[:, 0], label=label,
                    n_seeds=n_seeds, n_points=n_points, extent=extent, base=before, progress=lambda *_: bar.update(),
                )  # fmt: skip
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
    save_landscapes(landscapes, out)
    return landscapes, written


def _folded(model: Estimator, name: str | Path) -> Estimator:
    """The model as one of the flux; gradients, and spectra that are made for it, have to go through its encoders."""
    try:
        return folded(model)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _read(
    models: Sequence[str | Path], data: str | Path, encoders: Sequence[str | Path], label: str | None = None
) -> tuple[list[Estimator], PreparedSet]:
    """Models and a set that was prepared for them; each has the label, if one is asked for."""
    estimators, names = load_models(models, encoders)
    prepared = read_set(data)
    for name, model in zip(names, estimators, strict=True):
        require_same(model.preprocessing, name, prepared.preprocessing, str(data))
        if label is not None and label not in model.label_names:
            raise InputError(f"{name}: predicts {', '.join(model.label_names)}, not {label} (--label)")
    return estimators, prepared
