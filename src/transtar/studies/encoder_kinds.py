"""The kinds of encoders that a study may have: for each, what its settings must be, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..datasets import read_set
from ..encoders import (
    Encoder,
    OutsideEncoder,
    load_encoder,
    principal_components,
    save_encoder,
    untrained,
)
from ..errors import SettingsError, TranstarError
from ..files import content_hash
from ..preprocess import Preprocessing, require_same
from .encoder_recipe import Making, Recipe, Say, encoder_of
from .layout import ENCODERS
from .spec import Study
from .study_encoder import (
    ALIGNED,
    AUTOENCODER,
    MASKED,
    PCA,
    RANDOM,
    STORED,
    WITH_REAL,
    StudyEncoder,
    check_keys_of_kind,
)
from .study_files import set_folder
from .trained_encoders import aligned, check_trained, pretrained
from .with_real import encoder_with_real, pool_spectra


def _components(given: StudyEncoder, part: str, making: Making) -> Recipe:
    def make(folder: Path) -> None:
        prepared = read_set(making.source)
        flux, stars = pool_spectra([prepared])
        made = principal_components(flux, given.components, prepared.preprocessing, part, stars)
        save_encoder(made, folder, dtype="float32")

    return Recipe([PCA, making.content(making.source), given.components], make)


def _random(given: StudyEncoder, part: str, making: Making) -> Recipe:
    layers = stored_encoder(given, making.study, f"encoders.{part}")
    assert isinstance(layers, Encoder)

    def make(folder: Path) -> None:
        save_encoder(untrained(layers, given.seed, part), folder, dtype="float32")

    return Recipe([RANDOM, layers.sha256, given.seed], make)


def _with_real(given: StudyEncoder, part: str, making: Making) -> Recipe:
    sets = [making.source, set_folder(making.study.target, making.study, making.out)]
    asked = [given.stars, given.epochs, given.share, given.seed]

    def make(folder: Path) -> None:
        save_encoder(encoder_with_real(given, part, sets, making.say), folder, dtype="float32")

    return Recipe([WITH_REAL, *map(making.content, sets), *asked], make)


RECIPES: dict[str, Callable[[StudyEncoder, str, Making], Recipe]] = {
    PCA: _components,
    RANDOM: _random,
    WITH_REAL: _with_real,
    MASKED: pretrained,
    AUTOENCODER: pretrained,
    ALIGNED: aligned,
}
"""By kind how encoders are made that a study makes itself; only those that are stored elsewhere are not."""


def check_encoder(part: str, study: Study, where: str) -> None:
    """Find an encoder that cannot be made, or that takes other spectra, before anything is read.

    Parameters
    ----------
    part : str
        An input of the study.
    study : Study
    where : str
        For messages: the place of all encoders.

    Raises
    ------
    TranstarError
    """
    given = encoder_of(study, part)
    if given is None:
        return
    place = f"{where}.{part}"
    if given.kind in (STORED, RANDOM):
        stored_encoder(given, study, place)
    elif given.kind == AUTOENCODER:
        raise SettingsError(
            f"{place}: an autoencoder takes XP spectra, which networks of this study do not have; align it with a masked one "
            "(kind 'aligned') and take that as an input"
        )
    elif given.kind in (MASKED, ALIGNED):
        check_trained(part, given, study, place)


def check_all_keys(study: Study, where: str) -> None:
    """Refuse settings of encoders, inputs or not, that do not go with their kind.

    Raises
    ------
    SettingsError
    """
    for part, given in study.encoders.items():
        made = encoder_of(study, part)
        assert made is not None
        check_keys_of_kind(given, str(made.kind), f"{where}.{part}")


def stored_encoder(given: StudyEncoder, study: Study, where: str) -> Encoder | OutsideEncoder:
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


def encoder_for(
    part: str, study: Study, source: Path, out: Path, content: Callable[[Path], str], say: Say
) -> Encoder | OutsideEncoder:
    """The encoder of a part of an input; one that the study makes itself is kept in its folder, where its models find it.

    Parameters
    ----------
    part : str
        With an encoder, see `encoder_of`.
    study : Study
    source : Path
        Prepared set that the networks learn from.
    out : Path
        Of the study.
    content : callable
        Gives what changes with the content of a set.
    say : callable

    Raises
    ------
    TranstarError
        If it cannot be made or loaded.
    """
    given = encoder_of(study, part)
    assert given is not None
    if given.kind == STORED:
        return stored_encoder(given, study, f"encoders.{part}")

    def other(name: str) -> Encoder:
        made = encoder_for(name, study, source, out, content, say)
        assert isinstance(made, Encoder)
        return made

    recipe = RECIPES[str(given.kind)](given, part, Making(study, out, source, content, other, say))
    folder = out / ENCODERS / f"{part}-{content_hash(recipe.decisive)}"
    if not (folder / recipe.place / "config.json").is_file():
        recipe.make(folder)
    return load_encoder(folder / recipe.place)
