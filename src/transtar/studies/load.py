"""Study files: plain YAML that is checked key by key, and becomes a `Study`."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from ..checks import MOST_PLANES, check_mapping, check_real, check_text, check_whole
from ..errors import InputError, SettingsError, check_keys, shown
from ..glossary import LABELS
from ..names import check_name
from ..plain_yaml import read_extending
from ..quality import take_thresholds
from ..surveys import Stated, get_survey
from ..tables import CHOOSABLE
from ..telling import tell
from .check import MOST_RUNS, check_content, check_variant
from .experiments import build_experiments, experiment_studies
from .spec import REGIMES, SPLITS, ElementCheck, Explain, PlaneSample, Sample, Study, Subset


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
        If there is no such study, or it is not YAML.
    SettingsError
        On an unknown key, scale or value.
    """
    content = read_extending(name, _find, merge, "study")
    if scale is not None:
        scales = content.get("scales") or {}
        check_content({"scales": scales}, f"study {name}")
        check_keys([scale], scales, f"study {name}, scales")
        content = merge(content, scales[scale] or {})
    for key, value in (changes or {}).items():
        _set(content, [part.strip() for part in key.split(".")], value, name)
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
    check_content(content, where)
    content = _with_thresholds(deepcopy(content), where)
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
            raise SettingsError(f"{where}, element: expected model and column, got '{shown(given)}'")
        for key, value in given.items():
            check_text(value, f"{where}, element: {key}")
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
    n_runs = len(study.seeds) * len(study.models) * max(len(study.sizes) * len(study.strategies), 1)
    if n_runs > MOST_RUNS:
        raise SettingsError(
            f"{where}: seeds, sizes, strategies and models make {n_runs} runs; more than {MOST_RUNS} are too many"
        )
    return study


def _with_thresholds(content: dict, where: str) -> dict:
    """Thresholds among the settings of the preprocessing, where they were once, are put where they belong, and that is told."""
    settings, thresholds = take_thresholds(content.get("preprocessing") or {})
    if not thresholds:
        return content
    given = ", ".join(f"{name}: {shown(value)}" for name, value in thresholds.items())
    tell(
        f"{where}: {' and '.join(thresholds)} of the preprocessing are thresholds of the run; write 'quality: {{{given}}}'"
    )
    return content | {"preprocessing": settings, "quality": thresholds | (content.get("quality") or {})}


def _sample(kind: type, content: Any, where: str) -> Any:
    if not isinstance(content, dict):
        raise SettingsError(f"{where}: expected survey, spectra and labels, got '{content}'")
    check_keys(content, (f.name for f in fields(kind)), where)
    for name, value in content.items():
        wanted, what = (dict, "settings") if name in ("mock", "keep", "columns") else (str, "text")
        if value is not None and not isinstance(value, wanted):
            raise SettingsError(f"{where}: {name} must be {what}, not '{value}'")
    # Nothing is asked for, which takes away what the study that is extended asks for.
    content = {name: value for name, value in content.items() if name not in ("keep", "columns") or value is not None}
    try:
        sample = kind(**content)
    except TypeError as error:
        raise SettingsError(f"{where}: {error}") from None
    check_name(sample.survey, f"{where}: survey")
    try:
        stated = Stated(sample.medium or "", sample.frame or "", sample.unit or "")
        if stated != Stated():
            get_survey(sample.survey).stating(stated)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    for name, column in sample.columns.items():
        check_keys([name], CHOOSABLE, f"{where}: columns")
        check_text(column, f"{where}: columns: {name}")
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
    check_whole(wanted.seeds, f"{where}: seeds", 1, MOST_PLANES)
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
    for name in ("pipeline", "plane_pipeline"):
        for label, column in check_mapping(content.get(name, {}), f"{where}: {name}").items():
            check_text(column, f"{where}: {name}.{label}")
    subset = Subset(**content)
    check_variant(subset.name, f"{where}: name")
    return subset


def _check_samples(study: Study, where: str) -> None:
    own = [(f"sources.{model}", sample) for model, sample in study.sources.items()]
    for name, sample in (("source", study.source), *own, ("lines", study.lines), ("plane", study.plane)):
        if sample is not None and sample.keep:
            raise SettingsError(f"{where}, {name}: keep is for the target alone")
    for label, limits in study.target.keep.items():
        check_keys([label], LABELS, f"{where}, target: keep")
        if not (isinstance(limits, list | tuple) and len(limits) == 2):
            raise SettingsError(f"{where}, target: keep of {label} must be a range [low, high], not '{shown(limits)}'")
        low, high = (check_real(limit, f"{where}, target: keep of {label}: each end") for limit in limits)
        if low >= high:
            raise SettingsError(f"{where}, target: keep of {label} must be a range [low, high], not '{shown(limits)}'")
    if study.lines is not None and (study.source.mock is None or study.source.mock.get("lines", "default") is not None):
        raise SettingsError(f"{where}: lines needs a source of mock stars whose own lines are null")


def _check_kinds(study: Study, where: str) -> None:
    """What goes together with what, and labels that the models have."""
    if study.simulate is not None and not isinstance(study.simulate, dict):
        raise SettingsError(f"{where}, simulate: expected settings, got '{shown(study.simulate)}'")
    if study.subset is not None and study.subset.name in study.variants:
        raise SettingsError(f"{where}, subset: name '{study.subset.name}' is that of a variant")
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


def merge(content: dict, changes: dict) -> dict:
    """`content` with `changes` laid over it, key by key; `models`, `sources` and `prior` are replaced as a whole."""
    merged = dict(content)
    for key, value in changes.items():
        old: Any = merged.get(key)
        deeper = isinstance(old, dict) and isinstance(value, dict) and key not in ("models", "sources", "prior")
        merged[key] = merge(old, value) if deeper else value
    return merged


def _find(name: str) -> Path:
    """File of a study."""
    if name in shipped_studies():
        return Path(str(package_files(__package__) / f"{name}.yaml"))
    if not Path(name).is_file():
        raise InputError(f"{shown(name)}: neither a study file nor one of {', '.join(shipped_studies())}")
    return Path(name)


def _set(content: dict, keys: list[str], value: Any, name: str) -> None:
    where = f"study {name}, --set {'.'.join(keys)}"
    check_keys(keys[:1], (f.name for f in fields(Study)), f"study {name}, --set")
    if keys == ["models"] and isinstance(value, str):
        names = [part.strip() for part in value.split(",")]
        check_keys(names, content.get("models") or {}, where)
        value = {key: content["models"][key] for key in names}
        for each in ("prior", "sources"):
            content[each] = {key: own for key, own in (content.get(each) or {}).items() if key in names}
    for number, key in enumerate(keys[:-1], 1):
        inner = content.get(key) or {}
        if not isinstance(inner, dict):
            raise SettingsError(f"{where}: {'.'.join(keys[:number])} is no settings by name, but '{shown(inner)}'")
        content[key] = dict(inner)
        content = content[key]
    content[keys[-1]] = value
