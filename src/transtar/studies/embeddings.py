"""Inputs of a study other than the flux: which encoders make them, and the sets of the study that get them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..datasets import add_input, describe_set, input_names, read_set
from ..datasets.gathering import embed
from ..datasets.inputs import input_parts
from ..encoders import Encoder, OutsideEncoder, encoder_names, note_of
from ..errors import SettingsError, check_keys, shown
from ..files import content_hash
from ..models import Estimator
from .by_input import FLUX, OTHERS
from .encoder_kinds import check_all_keys, check_encoder, encoder_for
from .encoder_recipe import Say, encoder_of
from .spec import Study
from .study_encoder import PCA, RANDOM
from .study_files import set_folder
from .trained_encoders import NETWORKS, check_spectra
from .unseen_judges import refuse_judges


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


def check_encoders(study: Study, where: str) -> None:
    """Find inputs that nothing makes, and encoders of another preprocessing, before anything is read.

    Raises
    ------
    SettingsError
        If an input is unknown; the message names those that are known.
    TranstarError
        If an encoder cannot be loaded, or its spectra are prepared otherwise than those of the study.
    """
    check_all_keys(study, f"{where}: encoders")
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
        check_encoder(part, study, f"{where}: encoders")
    if study.inputs != [FLUX] and study.lines is not None:
        raise SettingsError(f"{where}: lines go with the input flux alone; leave out 'inputs'")
    if study.inputs[0] != FLUX and (alone := of_flux_alone(study)):
        raise SettingsError(
            f"{where}: of networks of the flux alone are {' and '.join(alone)}; let flux be the first of 'inputs'"
        )


def of_flux_alone(study: Study) -> list[str]:
    """Parts of a study that are of networks of the flux, whatever other inputs there are."""
    return [name for name in ("experiments", "explain") if getattr(study, name) is not None]


def check_encoder_spectra(study: Study, out: Path) -> None:
    """Find missing files of spectra that encoders are to learn from, before hours are spent.

    Raises
    ------
    TranstarError
    """
    for part in parts_of(study):
        given = encoder_of(study, part)
        if given is not None and given.kind in NETWORKS:
            check_spectra(given, study, out)


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
        if alone := of_flux_alone(study):
            say(f"{', '.join(alone)}: of networks of the flux alone, but that 'sizes' and 'labels' have all inputs")
    target = set_folder(study.target, study, out)
    plane = [] if study.plane is None else [set_folder(study.plane, study, out)]
    sources = [set_folder(study.sources.get(model, study.source), study, out) for model in study.models]
    made = {}
    for source in dict.fromkeys(sources):
        kept, keys = {}, {}
        for part in parts:
            given = encoder_of(study, part)
            if given is None:
                kept[part] = part
                keys[part] = content_hash([_computed(folder, part, say) for folder in (source, target, *plane)])
                continue
            encoder = encoder_for(part, study, source, out, content, say)
            refuse_judges(encoder, part, study, source, target, out, say)
            kept[part] = f"{part}-{encoder.sha256[:16]}"
            keys[part] = encoder.sha256
            for folder in (source, target, *plane):
                _embed(folder, part, kept[part], encoder, say)
        made[source] = Parts(kept, keys)
    return made


def _embed(folder: Path, part: str, name: str, encoder: Encoder | OutsideEncoder, say: Say) -> None:
    """Put embeddings into a set under a name that has their hash, for one set may serve encoders of equal names."""
    noted = describe_set(folder).get("inputs", {}).get(name)
    if noted is not None and noted["provenance"].get("encoder", {}).get("sha256") == encoder.sha256:
        return
    prepared = read_set(folder)
    say(f"embedding {len(prepared)} spectra of {prepared.survey} by '{part}'")
    provenance = {"encoder": note_of(encoder), "preprocessing_hash": prepared.preprocessing.hash}
    add_input(folder, name, embed(encoder, prepared.grid_spectra(), prepared.preprocessing), provenance)


def _computed(folder: Path, name: str, say: Say) -> str:
    """Keep what a registered input computes in a set; returns the hash of it."""
    if name not in describe_set(folder).get("inputs", {}):
        prepared = read_set(folder)
        say(f"computing the input '{name}' of {len(prepared)} spectra of {prepared.survey}")
        add_input(folder, name, prepared.input(name))
    return describe_set(folder)["inputs"][name]["sha256"]
