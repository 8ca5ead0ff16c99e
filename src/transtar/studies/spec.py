"""Study files: what is trained on what, measured where, as plain YAML that is checked key by key."""

from __future__ import annotations

import os
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError, SettingsError, check_keys
from .experiments import Experiments, build_experiments, experiment_studies

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
    """

    survey: str
    spectra: str = ""
    labels: str = ""
    split: str | None = None
    velocities: str | None = None
    stars: str | None = None
    mock: dict[str, Any] | None = None
    keep: dict[str, list[float]] = field(default_factory=dict)


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


def load_study(name: str, scale: str | None = None, changes: dict[str, Any] | None = None) -> dict[str, Study]:
    """Read a study file.

    Parameters
    ----------
    name : str
        Name of a study that ships with transtar, or path of a YAML file. A file may hold only what differs from another
        study, which it names by ``extends``.
    scale : str, optional
        One of the study's scales.
    changes : dict, optional
        Settings to override; keys may be dotted (``pretrain.epochs``).

    Returns
    -------
    dict of str to Study
        The study as ``default``, each of its variants, and each of its experiments.

    Raises
    ------
    InputError
        If there is no such study or it is not YAML.
    SettingsError
        On an unknown key, scale or value.
    """
    content = _read(name)
    if scale is not None:
        scales = content.get("scales", {})
        check_keys([scale], scales, f"study {name}, scales")
        content = merge(content, scales[scale] or {})
    for key, value in (changes or {}).items():
        _set(content, key.split("."), value, name)
    default = build_study(content, f"study {name}")
    studies = {"default": default}
    for variant, deviation in default.variants.items():
        if deviation is not None:
            studies[variant] = replace(
                build_study(merge(content, deviation), f"study {name}, variant {variant}"),
                experiments=None,
                explain=None,
            )
    return studies | experiment_studies(default)


def shipped_studies() -> list[str]:
    """Names of the studies that ship with transtar."""
    return sorted(
        p.name.removesuffix(".yaml") for p in package_files(__package__).iterdir() if p.name.endswith(".yaml")
    )


def build_study(content: dict, where: str) -> Study:
    """Check plain data and make a `Study` of it."""
    check_keys(content, (f.name for f in fields(Study)), where)
    content = deepcopy(content)
    for side in ("source", "target"):
        if not isinstance(content.get(side), dict):
            raise SettingsError(f"{where}: needs '{side}' with survey, spectra and labels")
    own = content.get("sources") or {}
    if not (isinstance(own, dict) and all(isinstance(changes, dict) for changes in own.values())):
        raise SettingsError(f"{where}, sources: expected for each model what differs from 'source', got '{own}'")
    content["sources"] = {
        model: _sample(Sample, merge(content["source"], changes), f"{where}, sources.{model}")
        for model, changes in own.items()
    }
    for side in ("source", "target"):
        content[side] = _sample(Sample, content[side], f"{where}, {side}")
    if content.get("lines") is not None:
        content["lines"] = _sample(Sample, content["lines"], f"{where}, lines")
    if content.get("element") is not None:
        given = content["element"]
        if not isinstance(given, dict) or set(given) != {"model", "column"}:
            raise SettingsError(f"{where}, element: expected model and column, got '{given}'")
        content["element"] = ElementCheck(**given)
    if content.get("subset") is not None:
        content["subset"] = _subset(content["subset"], f"{where}, subset")
    if content.get("plane") is not None:
        content["plane"] = _sample(PlaneSample, content["plane"], f"{where}, plane")
    if content.get("experiments") is not None:
        content["experiments"] = build_experiments(content["experiments"], f"{where}, experiments")
    if content.get("explain") is not None:
        content["explain"] = _explain(content["explain"], f"{where}, explain")
    try:
        study = Study(**content)
    except TypeError as error:
        raise SettingsError(f"{where}: {error}") from None
    _check_kinds(study, where)
    if study.split not in SPLITS:
        raise SettingsError(f"{where}: split '{study.split}' is none of {', '.join(SPLITS)}")
    _check_experiments(study, where)
    if not (study.models and study.seeds):
        raise SettingsError(f"{where}: needs at least one model and one seed")
    for name in ("prior", "sources"):
        check_keys(getattr(study, name), study.models, f"{where}, {name}")
    _check_samples(study, where)
    for strategy, settings in study.strategies.items():
        if settings is not None and not isinstance(settings, dict):
            raise SettingsError(f"{where}, strategies.{strategy}: expected settings, got '{settings}'")
    return study


def _sample(kind: type, content: Any, where: str) -> Any:
    if not isinstance(content, dict):
        raise SettingsError(f"{where}: expected survey, spectra and labels, got '{content}'")
    check_keys(content, (f.name for f in fields(kind)), where)
    for name, value in content.items():
        wanted, what = (dict, "settings") if name in ("mock", "keep") else (str, "text")
        if value is not None and not isinstance(value, wanted):
            raise SettingsError(f"{where}: {name} must be {what}, not '{value}'")
    try:
        sample = kind(**content)
    except TypeError as error:
        raise SettingsError(f"{where}: {error}") from None
    if sample.mock is None and not (sample.spectra and sample.labels):
        raise SettingsError(f"{where}: needs spectra and labels (or mock, for mock stars)")
    if isinstance(sample, PlaneSample) and not sample.reference:
        raise SettingsError(f"{where}: needs 'reference', a table with feh and alphafe to compare the plane with")
    return sample


def _explain(content: Any, where: str) -> Explain:
    if not isinstance(content, dict):
        raise SettingsError(f"{where}: expected model, regime and seeds, got '{content}'")
    check_keys(content, (f.name for f in fields(Explain)), where)
    wanted = Explain(**content)
    check_keys([wanted.regime], REGIMES, f"{where}.regime")
    if not isinstance(wanted.seeds, int) or wanted.seeds < 1:
        raise SettingsError(f"{where}: seeds must be a number of planes, not '{wanted.seeds}'")
    return wanted


def _check_experiments(study: Study, where: str) -> None:
    """Experiments and explanations draw test stars, by models of one label each."""
    wanted = study.explain
    if wanted is not None:
        check_keys([wanted.model], study.models, f"{where}, explain.model")
    if wanted is None and study.experiments is None:
        return
    if study.split != "test":
        raise SettingsError(f"{where}: experiments and explain are for test stars, not for split '{study.split}'")
    if not study.sizes:
        raise SettingsError(f"{where}: experiments and explain need sizes")
    joint = [name for name, labels in study.models.items() if len(labels) > 1]
    if joint:
        raise SettingsError(f"{where}: experiments and explain need models of one label each, not {', '.join(joint)}")


def _subset(content: Any, where: str) -> Subset:
    if not isinstance(content, dict) or not content.get("stars"):
        raise SettingsError(
            f"{where}: expected settings with 'stars', a table of the stars that count, got '{content}'"
        )
    check_keys(content, (f.name for f in fields(Subset)), where)
    for name, value in content.items():
        wanted, what = (dict, "a label and a column") if name.endswith("pipeline") else (str, "text")
        if value is not None and not isinstance(value, wanted):
            raise SettingsError(f"{where}: {name} must be {what}, not '{value}'")
    return Subset(**content)


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


def _check_samples(study: Study, where: str) -> None:
    own = [(f"sources.{model}", sample) for model, sample in study.sources.items()]
    for name, sample in (("source", study.source), *own, ("lines", study.lines), ("plane", study.plane)):
        if sample is not None and sample.keep:
            raise SettingsError(f"{where}, {name}: keep is for the target alone")
    for label, limits in study.target.keep.items():
        if not (isinstance(limits, list | tuple) and len(limits) == 2):
            raise SettingsError(f"{where}, target: keep of {label} must be a range [low, high], not '{limits}'")
    if study.lines is not None and (study.source.mock is None or study.source.mock.get("lines", "default") is not None):
        raise SettingsError(f"{where}: lines needs a source of mock stars whose own lines are null")


def _check_kinds(study: Study, where: str) -> None:
    """Values that are dictionaries or lists of the right things, and labels that the models have."""
    for name, kind in (("seeds", list), ("sizes", list), ("variants", dict), ("selections", dict), ("prior", dict)):
        given = getattr(study, name)
        if not isinstance(given, kind):
            what = "a list" if kind is list else "names and settings"
            raise SettingsError(f"{where}: {name} must be {what}, not '{given}'")
    for name, value in (("simulate", study.simulate), *((f"selections.{k}", v) for k, v in study.selections.items())):
        if value is not None and not isinstance(value, dict):
            raise SettingsError(f"{where}, {name}: expected settings, got '{value}'")
    if not isinstance(study.catalogs, list):
        raise SettingsError(f"{where}: catalogs must be a list of files and folders, not '{study.catalogs}'")
    if study.selections and not study.catalogs:
        raise SettingsError(f"{where}: selections need 'catalogs', the files and folders that they read")
    labels = {label for names in study.models.values() for label in names}
    if study.plane is not None and not {"feh", "alphafe"} <= labels:
        raise SettingsError(f"{where}: plane needs models of feh and alphafe, not {', '.join(sorted(labels))}")
    check_keys(study.pipeline, labels, f"{where}, pipeline")
    if study.subset is not None:
        check_keys([*study.subset.pipeline, *study.subset.plane_pipeline], labels, f"{where}, subset")
    for size, chosen in study.adapter.items():
        if not isinstance(chosen, str | dict):
            raise SettingsError(
                f"{where}, adapter of {size}: expected a strategy, or one for each label, got '{chosen}'"
            )
        if isinstance(chosen, dict):
            check_keys(chosen, labels, f"{where}, adapter of {size}")


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
    if Path(name).is_absolute():
        if not path.exists():
            raise InputError(f"{path}: not found")
    elif not path.exists() and not any(folder.glob(name)):
        raise InputError(f"{path}: not found; set {DATA_VARIABLE} to the folder that holds {name}")
    return str(path)


def merge(content: dict, changes: dict) -> dict:
    """`content` with `changes` laid over it, key by key; `models`, `sources` and `prior` are replaced as a whole."""
    merged = dict(content)
    for key, value in changes.items():
        old: Any = merged.get(key)
        deeper = isinstance(old, dict) and isinstance(value, dict) and key not in ("models", "sources", "prior")
        merged[key] = merge(old, value) if deeper else value
    return merged


def _read(name: str) -> dict:
    if name in shipped_studies():
        text = (package_files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    elif Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise InputError(f"{name}: neither a study file nor one of {', '.join(shipped_studies())}")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{name}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise InputError(f"{name}: holds no settings")
    parent = content.pop("extends", None)
    return content if parent is None else merge(_read(str(parent)), content)


def _set(content: dict, keys: list[str], value: Any, name: str) -> None:
    check_keys(keys[:1], (f.name for f in fields(Study)), f"study {name}, --set")
    for key in keys[:-1]:
        content[key] = dict(content.get(key) or {})
        content = content[key]
    if keys == ["models"] and isinstance(value, str):
        names = [part.strip() for part in value.split(",")]
        check_keys(names, content["models"], f"study {name}, --set models")
        value = {key: content["models"][key] for key in names}
        for each in ("prior", "sources"):
            content[each] = {key: own for key, own in (content.get(each) or {}).items() if key in names}
    content[keys[-1]] = value
