"""What a study is: what is trained on what, and measured where."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from .experiments import Experiments

DATA_VARIABLE = "TRANSTAR_DATA"

REGIMES = (
    "all",
    "poor",
    "rich",
    "dwarf",
    "giant",
    "cool",
    "warm",
    "poor-dwarf",
    "poor-giant",
    "poor-cool",
    "poor-warm",
)
"""Kinds of stars, as `transtar.evaluate.regimes` tells them apart."""

SPLITS = ("test", "validation", "matched")


@dataclass(frozen=True)
class Sample:
    """Spectra of one survey with their labels.

    File names that begin with ``universe/`` mean the universe that the study simulates, ``selections/NAME`` the table
    that it makes by that selection; others are relative to the data folder, or absolute.

    Parameters
    ----------
    survey : str
    spectra, labels : str
        Folder (or file, or pattern) of spectra, and table of labels.
    split : str, optional
        Table that says which stars are `pool` and which `test`.
    velocities : str, optional
        ``FILE`` or ``FILE:COLUMN``, radial velocities in km/s that replace the survey's.
    stars : str, optional
        Table of the stars whose spectra are read; of all others not even the files are, where their names tell.
    mock : dict, optional
        Settings of `transtar.simulate.mock_sets.MockSettings`: mock stars in place of files, as a source of labels.
    keep : dict of str to (float, float), optional
        Of the target: ranges of labels; stars outside neither teach nor are judged.
    columns : dict of str to str, optional
        Which column of its tables is which, where names do not tell: ``{feh: FE_H}``, as ``--columns`` of the command line.
    medium, frame, unit : str
        Of the wavelengths, where the files do not say it, as ``--medium``, ``--frame`` and ``--unit`` of the command line.
    """

    survey: str
    spectra: str = ""
    labels: str = ""
    split: str | None = None
    velocities: str | None = None
    stars: str | None = None
    mock: dict[str, Any] | None = None
    keep: dict[str, list[float]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    medium: str = ""
    frame: str = ""
    unit: str = ""


@dataclass(frozen=True)
class PlaneSample(Sample):
    """Stars of the target survey whose [alpha/Fe]-[Fe/H] plane is drawn; those in the table of labels count.

    Parameters
    ----------
    reference : str
        Table with `feh` and `alphafe` of the stars that the plane is compared with.
    truth : str, optional
        Table with the true `feh` and `alphafe` of the stars of the sample, which only a simulation has.
    """

    reference: str = ""
    truth: str | None = None


@dataclass(frozen=True)
class ElementCheck:
    """A named model of [alpha/Fe] against the abundance of one element in stars of the target survey.

    Parameters
    ----------
    model : str
        By name or folder; it must not have seen these stars.
    column : str
        Of the target's labels, such as ``mg_fe``.
    """

    model: str
    column: str


@dataclass(frozen=True)
class Subset:
    """Stars that pass stricter cuts, on which the same runs are judged once more.

    Parameters
    ----------
    stars : str
        Table of them, with labels; test stars in it count.
    name : str
        Variant of its rows in results.csv, and ending of its tables and figures.
    pipeline : dict of str to str
        As of the study, with columns of this table.
    plane : str, optional
        Table of the stars of the plane that count.
    plane_pipeline : dict of str to str
        As `pipeline`, with columns of that table.
    """

    stars: str
    name: str = "clean"
    pipeline: dict[str, str] = field(default_factory=dict)
    plane: str | None = None
    plane_pipeline: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Explain:
    """Stars and models whose gradients and loss landscapes are drawn.

    Parameters
    ----------
    model : str
        One of the study's, of one label.
    regime : str
        Of the test stars.
    seeds : int
        Planes of the landscapes, each through two random directions.
    """

    model: str = "feh"
    regime: str = "poor"
    seeds: int = 5


@dataclass(frozen=True)
class Study:
    """One study: a source, a target, and the grid of runs between them.

    Parameters
    ----------
    title, description : str
    notes : list of str
        Paragraphs for the report.
    simulate : dict or None
        ``scale``, ``seed`` and changes for `transtar.simulate.universe_settings`: a mock universe is made before all else.
    catalogs : list of str
        Files and folders that the selections read.
    selections : dict of str to dict
        Selections to be made, in this order, and their settings; each reads the tables of those before it, too.
    source, target : Sample
    sources : dict of str to Sample
        Name of a model and what it is pre-trained on in place of `source`; in a file, what differs from it.
    lines : Sample or None
        Real stars on which each pre-training on mock stars learns its `transtar.simulate.lines.LineCorrection`; those that
        the run is judged on are left out.
    element : ElementCheck or None
    plane : PlaneSample or None
        Needs models of `feh` and `alphafe`.
    subset : Subset or None
    pipeline : dict of str to str
        For a label the column, of the label tables of target and plane, with the value of the survey's own pipeline.
    preprocessing : dict
        Settings of `transtar.preprocess.Preprocessing`.
    quality : dict
        Thresholds of `transtar.Quality`, by which the spectra are flagged.
    models : dict of str to list of str
        Name of each model and the labels it predicts.
    seeds : list of int
    sizes : list of int
        Numbers of fine-tuning stars.
    pretrain : dict
        Settings of the pre-training.
    prior : dict of str to str
        Name of each model and the model, by name or folder, that its pre-training goes on from with all weights; one that is not
        named here starts from random weights.
    strategies : dict of str to dict
        Strategy and its settings; ``by_size`` and ``by_model`` hold settings for one size or one model.
    adapter : dict of int to str
        For each size the adapter of [Fe/H] that was chosen beforehand, by validation in the pool or from elsewhere; or, for each
        size, a dict of label to adapter.
    split : {'test', 'validation', 'matched'}
        'validation' never touches the test stars: each seed holds out its own share of both pools instead. 'matched' divides
        pool and test stars of the target anew, so that both have one distribution of Teff (`transtar.train.matched_split`).
    rest : bool
        Label the stars of the pool that a run has not learnt from, too; experiments that need it do.
    experiments : Experiments or None
        The ablations of the paper's appendix; with them a study draws the paper's tables and figures.
    explain : Explain or None
        Whose gradients and loss landscapes are drawn.
    variants : dict of str to dict
        Deviations from all of the above, each run as well; one of the study that is extended is dropped by null.
    scales : dict of str to dict
        Named smaller or larger forms of the study.
    """

    title: str
    source: Sample
    target: Sample
    models: dict[str, list[str]]
    description: str = ""
    notes: list[str] = field(default_factory=list)
    simulate: dict[str, Any] | None = None
    catalogs: list[str] = field(default_factory=list)
    selections: dict[str, dict] = field(default_factory=dict)
    sources: dict[str, Sample] = field(default_factory=dict)
    lines: Sample | None = None
    element: ElementCheck | None = None
    plane: PlaneSample | None = None
    subset: Subset | None = None
    pipeline: dict[str, str] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    sizes: list[int] = field(default_factory=lambda: [50, 100, 200, 400])
    pretrain: dict[str, Any] = field(default_factory=dict)
    prior: dict[str, str] = field(default_factory=dict)
    strategies: dict[str, dict] = field(default_factory=dict)
    adapter: dict[int, str | dict[str, str]] = field(default_factory=dict)
    split: str = "test"
    rest: bool = False
    experiments: Experiments | None = None
    explain: Explain | None = None
    variants: dict[str, dict] = field(default_factory=dict)
    scales: dict[str, dict] = field(default_factory=dict)


def of_subset(study: Study) -> Study:
    """The study as its test stars in the subset are judged."""
    assert study.subset is not None
    target = replace(study.target, labels=study.subset.stars)
    return replace(study, target=target, pipeline=study.subset.pipeline)


def of_subset_plane(study: Study) -> Study | None:
    """The study as the plane of its subset is compared, if it has one."""
    if study.plane is None or study.subset is None or study.subset.plane is None:
        return None
    plane = replace(study.plane, labels=study.subset.plane)
    return replace(study, plane=plane, pipeline=study.subset.plane_pipeline)


def adapters(study: Study, size: int) -> dict[str, str]:
    """The adapters that were chosen beforehand for a size, by label."""
    chosen = study.adapter.get(size, {})
    return {"feh": chosen} if isinstance(chosen, str) else dict(chosen)


def settings_for(study: Study, strategy: str, model: str, size: int) -> dict:
    """The settings of a strategy for one model and one number of stars."""
    settings = dict(study.strategies[strategy] or {})
    by_model, by_size = settings.pop("by_model", {}), settings.pop("by_size", {})
    settings.update(by_size.get(size, {}))
    settings.update(by_model.get(model, {}))
    return settings


def data_path(name: str) -> str:
    """Full name of a file of a study, looked for in the folder that ``TRANSTAR_DATA`` names.

    Raises
    ------
    InputError
        If it is not there.
    """
    folder = Path(os.environ.get(DATA_VARIABLE, "."))
    path = folder / name
    try:
        if path.exists():
            return str(path)
        found = not Path(name).is_absolute() and any(folder.glob(name))
    except (OSError, ValueError):
        # No file can have such a name.
        found = False
    if not found:
        where = "" if Path(name).is_absolute() else f"; set {DATA_VARIABLE} to the folder that holds {shown(name)}"
        raise InputError(f"{shown(path, 300)}: not found{where}")
    return str(path)
