"""Study files: plain YAML that is checked key by key, and becomes a `Study`."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from functools import partial
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from ..editor_schema import editor_schema
from ..errors import InputError, SettingsError, check_keys, shown, unknown_text
from ..plain_yaml import merge as merge_all
from ..plain_yaml import read_extending
from ..quality import Quality, take_thresholds
from ..schema import parse
from ..surveys import Stated, get_survey
from ..telling import tell
from .experiments import experiment_studies
from .sample import PlaneSample, Sample, UnlabelledSample
from .spec import ByName, Study

MOST_RUNS = 100_000
"""Of one study: seeds, sizes, strategies, models and variants multiply."""

WHOLE = ("models", "sources", "prior", "shipped")
"""Keys that are replaced as a whole by a file that extends another, by a scale and by a variant."""

NOT_INHERITED = ("description", "notes")
"""Keys that say of one study what need not be true of another that extends it."""

merge = partial(merge_all, whole=WHOLE)


def load_study(name: str, scale: str | None = None, changes: dict[str, Any] | None = None) -> dict[str, Study]:
    """Read a study file.

    Parameters
    ----------
    name : str
        Name of a study that ships with transtar, or path of a YAML file. A file may hold only what differs from another
        study, which it names by ``extends``: mappings are merged key by key, an empty mapping removes all keys that were
        there, and description and notes are not inherited.
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

    Examples
    --------
    >>> import transtar as ts
    >>> studies = ts.load_study("lamost-to-miles", scale="small")
    >>> next(iter(studies.values())).sizes
    [50, 200]
    """
    content = read_extending(name, _find, merge, "study", NOT_INHERITED)
    if scale is not None:
        scales = parse(ByName, content.get("scales") or {}, f"study {name}: scales")
        check_keys([scale], scales, f"study {name}: scales")
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


def study_schema() -> dict[str, Any]:
    """JSON schema of study files, for editors; see `transtar.editor_schema.editor_schema`."""
    made = editor_schema(Study, "study")
    changes = {name: {"$ref": f"#/properties/{name}"} for name in made["properties"] if name != "extends"}
    made["$defs"]["Changes"] = {"type": "object", "properties": changes, "additionalProperties": False}
    for name in ("variants", "scales"):
        made["properties"][name]["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/Changes"}, {"type": "null"}]}
    return made


def shipped_studies() -> list[str]:
    """Names of the studies that ship with transtar."""
    return sorted(
        p.name.removesuffix(".yaml") for p in package_files(__package__).iterdir() if p.name.endswith(".yaml")
    )


def build_study(content: dict, where: str) -> Study:
    """Check plain data and make a `Study` of it.

    Raises
    ------
    SettingsError
        Naming the key, what is wrong with it, and what is known.
    """
    content = _with_thresholds(deepcopy(content), where)
    source, sources = content.get("source"), content.get("sources")
    if isinstance(source, dict) and isinstance(sources, dict):
        content["sources"] = {
            model: merge(source, changes) if isinstance(changes, dict) else changes
            for model, changes in sources.items()
        }
    study = parse(Study, content, where)
    for name, sample in [*_samples(study), *_unlabelled(study)]:
        _check_sample(sample, name, f"{where}: {name}")
    _check_together(study, where)
    _check_experiments(study, where)
    return study


def _with_thresholds(content: dict, where: str) -> dict:
    """Thresholds among the settings of the preprocessing, where they were once, are put where they belong, and that is told."""
    if not isinstance(content.get("preprocessing"), dict):
        return content
    settings, thresholds = take_thresholds(content["preprocessing"])
    if not thresholds:
        return content
    given = ", ".join(f"{name}: {shown(value)}" for name, value in thresholds.items())
    tell(
        f"{where}: {' and '.join(thresholds)} of the preprocessing are thresholds of the run; write 'quality: {{{given}}}'"
    )
    return content | {"preprocessing": settings, "quality": thresholds | (content.get("quality") or {})}


def _check_experiments(study: Study, where: str) -> None:
    """Experiments and explanations draw test stars, by models of one label each."""
    wanted = study.explain
    if wanted is not None:
        check_keys([wanted.model], study.models, f"{where}: explain.model")
    if wanted is None and study.experiments is None:
        return
    if study.split != "test":
        raise SettingsError(f"{where}: experiments and explain are for test stars, not for split '{study.split}'")
    if not study.sizes:
        raise SettingsError(f"{where}: experiments and explain need sizes")
    joint = [name for name, labels in study.models.items() if len(labels) > 1]
    if joint:
        raise SettingsError(f"{where}: experiments and explain need models of one label each, not {', '.join(joint)}")


def _samples(study: Study) -> list[tuple[str, Sample]]:
    """Samples of a study, by the name of their key."""
    sources = [(f"sources.{model}", sample) for model, sample in study.sources.items()]
    alone = [(name, getattr(study, name)) for name in ("source", "target", "lines", "plane")]
    return [*sources, *((name, sample) for name, sample in alone if sample is not None)]


def _unlabelled(study: Study) -> list[tuple[str, Sample]]:
    """Samples that encoders of a study learn from, which need no labels, by the name of their key."""
    return [
        (f"encoders.{part}.spectra[{place}]", sample)
        for part, given in study.encoders.items()
        for place, sample in enumerate(given.spectra)
    ]


def _check_sample(sample: Sample, name: str, where: str) -> None:
    """What a sample needs, what is said of its spectra, and what is for the target alone."""
    try:
        stated = Stated(sample.medium, sample.frame, sample.unit)
        if stated != Stated():
            get_survey(sample.survey).stating(stated)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    labelled = not isinstance(sample, UnlabelledSample)
    if sample.labels and not labelled:
        raise SettingsError(f"{where}: encoders learn without labels; leave them out")
    if sample.mock is None and not (sample.spectra and (sample.labels or not labelled)):
        raise SettingsError(f"{where}: needs spectra{' and labels' if labelled else ''} (or mock, for mock stars)")
    if isinstance(sample, PlaneSample) and not sample.reference:
        raise SettingsError(f"{where}: needs 'reference', a table with feh and alphafe to compare the plane with")
    if sample.keep and name != "target":
        raise SettingsError(f"{where}: keep is for the target alone")


def _check_together(study: Study, where: str) -> None:
    """What goes together with what: models that exist, labels that they have, and not too many runs."""
    if not (study.models and study.seeds):
        raise SettingsError(f"{where}: needs at least one model and one seed")
    try:
        Quality.from_dict(study.quality)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    n_runs = len(study.seeds) * len(study.models) * len(study.inputs) * max(len(study.sizes) * len(study.strategies), 1)
    if n_runs > MOST_RUNS:
        raise SettingsError(
            f"{where}: seeds, sizes, strategies, models and inputs make {n_runs} runs; more than {MOST_RUNS} are too many"
        )
    judged: dict[tuple[str, bool], str] = {}
    for model, names in study.models.items():
        for label in names:
            other = judged.setdefault((label, len(names) > 1), model)
            if other != model:
                how = "with other labels" if len(names) > 1 else "alone"
                raise SettingsError(
                    f"{where}: models {other} and {model} both predict {label} {how}, which results.csv does not tell apart; "
                    "make one of them part of a variant"
                )
    for name in ("prior", "sources"):
        absent = [model for model in getattr(study, name) if model not in study.models]
        if absent:
            raise SettingsError(
                f"{where}: {name}: {unknown_text(absent, study.models, 'model')}; a study that has fewer models than "
                f"the one it extends says '{name}' anew"
            )
    for strategy, settings in study.strategies.items():
        check_keys((settings or {}).get("by_model") or (), study.models, f"{where}: strategies.{strategy}.by_model")
    if study.subset is not None and study.subset.name in study.variants:
        raise SettingsError(f"{where}: subset: name '{study.subset.name}' is that of a variant")
    if study.selections and not study.catalogs:
        raise SettingsError(f"{where}: selections need 'catalogs', the files and folders that they read")
    if study.lines is not None and (study.source.mock is None or study.source.mock.get("lines", "default") is not None):
        raise SettingsError(f"{where}: lines needs a source of mock stars whose own lines are null")
    labels = {label for names in study.models.values() for label in names}
    if study.plane is not None and not {"feh", "alphafe"} <= labels:
        raise SettingsError(f"{where}: plane needs models of feh and alphafe, not {', '.join(sorted(labels))}")
    check_keys(study.pipeline, labels, f"{where}: pipeline")
    # Rows of models of several labels are a variant, beside which nothing stands.
    alone = {names[0] for names in study.models.values() if len(names) == 1}
    check_keys(study.shipped, alone, f"{where}: shipped")
    if study.subset is not None:
        check_keys([*study.subset.pipeline, *study.subset.plane_pipeline], labels, f"{where}: subset")
    for size, chosen in study.adapter.items():
        check_keys(chosen if isinstance(chosen, dict) else (), labels, f"{where}: adapter.{size}")


def _find(name: str) -> Path:
    """File of a study."""
    if name in shipped_studies():
        return Path(str(package_files(__package__) / f"{name}.yaml"))
    if not Path(name).is_file():
        raise InputError(f"{shown(name)}: neither a study file nor one of {', '.join(shipped_studies())}")
    return Path(name)


def _of_models(settings: Any, names: list[str]) -> Any:
    """Settings of a strategy without those for models that are not among `names`."""
    if not isinstance(settings, dict) or not isinstance(settings.get("by_model"), dict):
        return settings
    return settings | {"by_model": {name: entry for name, entry in settings["by_model"].items() if name in names}}


def _set(content: dict, dotted: list[str], value: Any, name: str) -> None:
    where = f"study {name}, --set {'.'.join(dotted)}"
    check_keys(dotted[:1], (f.name for f in fields(Study)), f"study {name}, --set")
    if dotted == ["models"] and isinstance(value, str):
        names = [part.strip() for part in value.split(",")]
        check_keys(names, content.get("models") or {}, where)
        value = {key: content["models"][key] for key in names}
        for each in ("prior", "sources"):
            if isinstance(by_model := content.get(each), dict):
                content[each] = {key: entry for key, entry in by_model.items() if key in names}
        if isinstance(strategies := content.get("strategies"), dict):
            content["strategies"] = {name: _of_models(settings, names) for name, settings in strategies.items()}
    if dotted == ["inputs"] and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    # Numbers of stars are keys, too, and no text.
    sized = [False, *(before in ("by_size", "adapter") for before in dotted[:-1])]
    keys = [int(key) if is_size and key.isdecimal() else key for key, is_size in zip(dotted, sized, strict=True)]
    for number, key in enumerate(keys[:-1], 1):
        inner = content.get(key) or {}
        if not isinstance(inner, dict):
            raise SettingsError(f"{where}: {'.'.join(dotted[:number])} is no settings by name, but '{shown(inner)}'")
        content[key] = dict(inner)
        content = content[key]
    content[keys[-1]] = value
