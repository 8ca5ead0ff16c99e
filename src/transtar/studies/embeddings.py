"""Inputs of a study other than the flux: which encoders make them, and the sets of the study that get them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..catalog.trained import trained_on
from ..datasets import add_input, describe_set, input_names, read_set
from ..datasets.gathering import embed
from ..datasets.inputs import input_parts
from ..encoders import (
    Encoder,
    OutsideEncoder,
    encoder_names,
    load_encoder,
    note_of,
    principal_components,
    save_encoder,
    untrained,
)
from ..errors import InputError, SettingsError, TranstarError, check_keys, shown
from ..files import content_hash
from ..models import Estimator
from ..preprocess import Preprocessing, require_same
from .by_input import FLUX, OTHERS, PCA, RANDOM, STORED, WITH_REAL, StudyEncoder
from .layout import ENCODERS
from .rows import rows_of_split
from .spec import Study
from .study_files import set_folder
from .with_real import encoder_with_real, pool_spectra

THROUGH = "through"
"""The encoder whose layers a random one has, if a study does not say."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """What makes the parts of the inputs of a study from the spectra of one source and those of the target.

    Parameters
    ----------
    kept : dict of str to str
        By part the name under which the sets have it.
    keys : dict of str to str
        By part what decides its values, for the keys of runs.
    """

    kept: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def of(self, input: str) -> dict[str, str]:
        """Those of `kept` that an input has."""
        return {part: self.kept[part] for part in input_parts(input) if part != FLUX}

    def key(self, input: str) -> str:
        """Changes with the input and with whatever makes it; empty for the flux."""
        return "" if input == FLUX else content_hash([input, {part: self.keys[part] for part in self.of(input)}])


def parts_of(study: Study) -> list[str]:
    """The parts of all inputs of a study but the flux, each once."""
    return list(dict.fromkeys(part for name in study.inputs for part in input_parts(name) if part != FLUX))


def encoder_of(study: Study, part: str) -> StudyEncoder | None:
    """What a study says of the encoder of a part, with its kind and its encoder filled in; None for a registered input."""
    given = study.encoders.get(part)
    if given is None and part not in (PCA, RANDOM, *encoder_names()) and part in input_names():
        return None
    given = given or StudyEncoder()
    kind = given.kind or (part if part in (PCA, RANDOM) else STORED)
    layers_of = study.encoders.get(THROUGH, StudyEncoder()).encoder or THROUGH
    return replace(given, kind=kind, encoder=given.encoder or (layers_of if kind == RANDOM else part))


def check_encoders(study: Study, where: str) -> None:
    """Find inputs that nothing makes, and encoders of another preprocessing, before anything is read.

    Raises
    ------
    SettingsError
        If an input is unknown; the message names those that are known.
    TranstarError
        If an encoder cannot be loaded, or its spectra are prepared otherwise than those of the study.
    """
    known = list(dict.fromkeys([FLUX, PCA, RANDOM, *study.encoders, *encoder_names(), *input_names()]))
    settings = {f"strategies.{name}": given or {} for name, given in study.strategies.items()}
    for key, given in (settings | {"pretrain": study.pretrain}).items():
        for name, of_input in given.get("by_input", {}).items():
            check_keys([] if name == OTHERS else input_parts(name), known, f"{where}: {key}.by_input")
            if name != FLUX and of_input.get("augmentation") is not None:
                raise SettingsError(
                    f"{where}: {key}.by_input.{shown(name)}: augmentation changes spectra, so there is none for this input"
                )
    parts = parts_of(study)
    for part in parts:
        if part not in known:
            raise SettingsError(
                f"{where}: inputs: nothing makes the input '{shown(part)}'; known are {', '.join(known)}; an encoder in a "
                f"folder is named by 'encoders: {{{shown(part)}: {{encoder: FOLDER}}}}'"
            )
        if (made := encoder_of(study, part)) is not None and made.kind in (STORED, RANDOM):
            _stored(made, study, f"{where}: encoders.{part}")
    if study.inputs != [FLUX]:
        alone = [name for name in ("plane", "experiments", "explain", "lines") if getattr(study, name) is not None]
        if alone:
            raise SettingsError(f"{where}: {' and '.join(alone)} go with the input flux alone; leave out 'inputs'")


def _stored(given: StudyEncoder, study: Study, where: str) -> Encoder | OutsideEncoder:
    """The encoder that a study names, if its spectra are prepared as those of the study."""
    try:
        encoder = load_encoder(given.encoder)
    except TranstarError as error:
        raise type(error)(f"{where}: {error}") from None
    if isinstance(encoder, OutsideEncoder) and encoder.native:
        raise SettingsError(
            f"{where}: {given.encoder} takes spectra as they are read from files, a study has them on a grid"
        )
    if isinstance(encoder, OutsideEncoder) and given.kind == RANDOM:
        raise SettingsError(
            f"{where}: {given.encoder} is a function, which has no layers; name an encoder that has some"
        )
    if encoder.preprocessing is not None:
        preprocessing = Preprocessing.from_dict(study.preprocessing)
        require_same(encoder.preprocessing, f"encoder {given.encoder}", preprocessing, "the study")
    return encoder


def check_prior(study: Study, model: str, prior: Estimator, where: str) -> None:
    """Refuse a model to go on from that takes another input than the networks of the study.

    Raises
    ------
    SettingsError
    """
    others = [name for name in study.inputs if name != prior.input]
    if others:
        raise SettingsError(
            f"{where}: prior.{model}: {study.prior[model]} takes the input '{prior.input}', networks of the study "
            f"{', '.join(others)}; leave the prior or these inputs out"
        )


def unaugmented(settings: dict[str, Any], kind: type, input: str) -> dict[str, Any]:
    """Settings of a pre-training or strategy without augmentation, which changes spectra, unless the flux alone is learnt from.

    Parameters
    ----------
    settings : dict
    kind : type
        Of the settings.
    input : str
    """
    augments = input != FLUX and "augmentation" in [one.name for one in fields(kind)]
    return settings | {"augmentation": None} if augments else settings


def embed_sets(study: Study, out: Path, content: Callable[[Path], str], say: Say) -> dict[Path, Parts]:
    """Put the inputs of a study into its prepared sets, unless they are there.

    Parameters
    ----------
    study : Study
    out : Path
        Of the study; its sets are prepared.
    content : callable
        Gives what changes with the content of a set.
    say : callable

    Returns
    -------
    dict of Path to Parts
        By the folder of each source.

    Raises
    ------
    TranstarError
        If an encoder cannot be made or applied, or has seen stars that the study judges on.
    """
    parts = parts_of(study)
    if parts:
        others = ", ".join(name for name in study.inputs if name != FLUX)
        say(f"augmentation changes spectra, so that networks of {others} learn without")
    target = set_folder(study.target, study, out)
    sources = [set_folder(study.sources.get(model, study.source), study, out) for model in study.models]
    made = {}
    for source in dict.fromkeys(sources):
        kept, keys = {}, {}
        for part in parts:
            given = encoder_of(study, part)
            if given is None:
                kept[part] = part
                keys[part] = content_hash([_computed(folder, part, say) for folder in (source, target)])
                continue
            encoder = _encoder(given, part, study, source, out, content, say)
            _refuse_judges(encoder, part, study, target)
            kept[part] = f"{part}-{encoder.sha256[:16]}"
            keys[part] = encoder.sha256
            for folder in (source, target):
                _embed(folder, kept[part], encoder, say)
        made[source] = Parts(kept, keys)
    return made


def _encoder(
    given: StudyEncoder, part: str, study: Study, source: Path, out: Path, content: Callable[[Path], str], say: Say
) -> Encoder | OutsideEncoder:
    """The encoder of a part; one that the study makes itself is kept in its folder, where its models find it."""
    if given.kind == STORED:
        return _stored(given, study, f"encoders.{part}")
    if given.kind == PCA:
        decisive, make = [PCA, content(source), given.components], partial(_components, given, part, source)
    elif given.kind == WITH_REAL:
        sets = [source, set_folder(study.target, study, out)]
        asked = [given.stars, given.epochs, given.share, given.seed]
        decisive, make = [WITH_REAL, *map(content, sets), *asked], partial(encoder_with_real, given, part, sets, say)
    else:
        layers = _stored(given, study, f"encoders.{part}")
        assert isinstance(layers, Encoder)
        decisive, make = [RANDOM, layers.sha256, given.seed], partial(untrained, layers, given.seed, part)
    folder = out / ENCODERS / f"{part}-{content_hash(decisive)}"
    if not (folder / "config.json").is_file():
        save_encoder(make(), folder, dtype="float32")
    return load_encoder(folder)


def _components(given: StudyEncoder, part: str, source: Path) -> Encoder:
    prepared = read_set(source)
    flux, stars = pool_spectra([prepared])
    return principal_components(flux, given.components, prepared.preprocessing, part, stars)


def _refuse_judges(encoder: Encoder | OutsideEncoder, part: str, study: Study, target: Path) -> None:
    """Refuse an encoder that has seen stars that the study judges on."""
    if not encoder.trained_on:
        return
    prepared = read_set(target)
    _, judged = rows_of_split(prepared, study.split, study.seeds[0], len(study.seeds))
    columns = {name: prepared.columns[name][judged] for name in ("survey", "id", "file")}
    seen = int(trained_on(columns, [encoder.trained_on]).sum())
    if seen:
        raise InputError(
            f"study, encoders.{part}: has seen {seen} of the {len(judged)} stars of {prepared.survey} that the study judges "
            "on; take another encoder"
        )


def _embed(folder: Path, name: str, encoder: Encoder | OutsideEncoder, say: Say) -> None:
    """Put embeddings into a set under a name that has their hash, for one set may serve encoders of equal names."""
    noted = describe_set(folder).get("inputs", {}).get(name)
    if noted is not None and noted["provenance"].get("encoder", {}).get("sha256") == encoder.sha256:
        return
    prepared = read_set(folder)
    say(f"embedding {len(prepared)} spectra of {prepared.survey} by '{encoder.name}'")
    provenance = {"encoder": note_of(encoder), "preprocessing_hash": prepared.preprocessing.hash}
    add_input(folder, name, embed(encoder, prepared.grid_spectra(), prepared.preprocessing), provenance)


def _computed(folder: Path, name: str, say: Say) -> str:
    """Keep what a registered input computes in a set; returns the hash of it."""
    if name not in describe_set(folder).get("inputs", {}):
        prepared = read_set(folder)
        say(f"computing the input '{name}' of {len(prepared)} spectra of {prepared.survey}")
        add_input(folder, name, prepared.input(name))
    return describe_set(folder)["inputs"][name]["sha256"]
