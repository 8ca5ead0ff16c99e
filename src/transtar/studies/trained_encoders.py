"""Encoders of SpecCLIP's family that a study trains itself: masked transformer, autoencoder of XP spectra, both aligned."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..datasets.defaults import default_quality
from ..encoders.specclip import PREPARED
from ..errors import SettingsError, shown
from ..progress import progress_bar
from .encoder_recipe import Making, Recipe, Say, encoder_of
from .sample import Sample
from .spec import Study
from .study_encoder import ALIGNED, AUTOENCODER, MASKED, StudyEncoder
from .study_files import check_sample, locate, prepared_set, set_folder

NETWORKS = {MASKED: "lrs", AUTOENCODER: "xp", ALIGNED: "align"}
"""By kind of encoder the name that its networks have in `transtar.train.large`."""


def spectra_of(study: Study, given: StudyEncoder) -> list[tuple[Sample, Study]]:
    """What a masked transformer or an autoencoder learns from, each with a study that says how it is prepared.

    XP spectra are prepared as their encoders want them and not as those of the study, and have thresholds of their own.
    """
    if given.kind == MASKED:
        return [(sample, study) for sample in (*given.spectra, *([] if given.spectra else [study.source]))]
    preprocessing = PREPARED["xp"].to_dict()
    return [
        (sample, replace(study, preprocessing=preprocessing, quality=default_quality(sample.survey).to_dict()))
        for sample in given.spectra
    ]


def check_trained(part: str, given: StudyEncoder, study: Study, where: str) -> None:
    """Find settings of a training that cannot be, before anything is read.

    Parameters
    ----------
    part : str
        Name of the encoder.
    given : StudyEncoder
        Of kind 'masked', 'autoencoder' or 'aligned'.
    study : Study
    where : str
        For messages: the place of this encoder.

    Raises
    ------
    SettingsError
    """
    try:
        _check_settings(given)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    if given.kind == AUTOENCODER and not given.spectra:
        raise SettingsError(f"{where}: needs 'spectra', Gaia XP spectra to learn from")
    if given.kind == ALIGNED:
        for key, name, kind in (("lrs", given.lrs, MASKED), ("xp", given.xp, AUTOENCODER)):
            other = encoder_of(study, name)
            if other is None or other.kind != kind:
                raise SettingsError(
                    f"{where}: {key}: needs the name of an encoder of kind '{kind}' of this study, not '{shown(name)}'; write "
                    f"'encoders: {{{shown(name)}: {{kind: {kind}}}}}'"
                )
            check_trained(name, other, study, where.removesuffix(part) + name)


def check_spectra(given: StudyEncoder, study: Study, out: Path) -> None:
    """Find missing files before hours are spent.

    Raises
    ------
    TranstarError
    """
    if given.kind == ALIGNED:
        if given.pairs:
            locate(given.pairs, study, out)
        for name in (given.lrs, given.xp):
            if (other := encoder_of(study, name)) is not None:
                check_spectra(other, study, out)
        return
    for sample, prepared_as in spectra_of(study, given):
        check_sample(sample, prepared_as, out)


def _check_settings(given: StudyEncoder) -> None:
    from ..train.large.alignment_runs import check_training

    training = training_settings(given)
    if given.kind == ALIGNED:
        check_training(training)
    else:
        _check_network(given)


def training_settings(given: StudyEncoder) -> Any:
    """Settings of the training of an encoder.

    Parameters
    ----------
    given : StudyEncoder

    Returns
    -------
    transtar.train.large.EncoderTraining

    Raises
    ------
    SettingsError
    """
    from ..train.large import TRAINING_SIZES

    if "seed" in given.training:
        raise SettingsError("training: the seed has a key of its own: write 'seed' beside 'training'")
    return TRAINING_SIZES[NETWORKS[str(given.kind)]][given.size].with_({**given.training, "seed": given.seed})


def _check_network(given: StudyEncoder) -> None:
    from ..networks.lrs import lrs_settings
    from ..networks.xp_autoencoder import xp_settings
    from ..train.settings import plain, settings_from_dict

    usual: Any = lrs_settings(given.size) if given.kind == MASKED else xp_settings(given.size)
    settings_from_dict(type(usual), {**plain(usual), **given.network})


def _decisive(given: StudyEncoder, sets: list[Path], making: Making) -> list[Any]:
    from ..train.large.large_settings import EXECUTION
    from ..train.settings import plain

    training = {name: value for name, value in plain(training_settings(given)).items() if name not in EXECUTION}
    return [given.kind, [making.content(folder) for folder in sets], given.size, training]


def _sets(given: StudyEncoder, making: Making) -> list[Path]:
    """Prepared sets that an encoder learns from; those that the study does not have otherwise are prepared now."""
    if not given.spectra:
        return [set_folder(making.study.source, making.study, making.out)]
    every = spectra_of(making.study, given)
    return [prepared_set(sample, prepared_as, making.out, making.say) for sample, prepared_as in every]


def pretrained(given: StudyEncoder, part: str, making: Making) -> Recipe:
    """How a masked transformer, or an autoencoder of XP spectra, is made."""
    sets = _sets(given, making)
    return Recipe([*_decisive(given, sets, making), given.network], partial(_pretrain, given, part, sets, making.say))


def _pretrain(given: StudyEncoder, part: str, sets: list[Path], say: Say, folder: Path) -> None:
    from ..train.large import pretrain_encoder

    say(f"training the encoder '{part}'")
    with _Bar(part) as bar:
        run = pretrain_encoder(
            NETWORKS[str(given.kind)], sets, folder, given.size, training_settings(given), network=given.network, say=say,
            progress=bar,
        )  # fmt: skip
    _tell(part, run, say)


def aligned(given: StudyEncoder, part: str, making: Making) -> Recipe:
    """How two encoders are aligned; both are made before, unless they are there."""
    encoders = [making.encoder(name) for name in (given.lrs, given.xp)]
    each = [encoder_of(making.study, name) for name in (given.lrs, given.xp)]
    sets = [folder for one in each if one is not None for folder in _sets(one, making)]
    pairs = locate(given.pairs, making.study, making.out) if given.pairs else None
    decisive = [*_decisive(given, sets, making), given.variant, [encoder.sha256 for encoder in encoders]]
    decisive.append("" if pairs is None else _file_hash(pairs))
    return Recipe(decisive, partial(_align, given, part, encoders, sets, pairs, making.say), place="lrs")


def _file_hash(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _align(
    given: StudyEncoder, part: str, encoders: list, sets: list[Path], pairs: str | None, say: Say, folder: Path
) -> None:
    from ..train.large.alignment_runs import align_encoders

    say(f"aligning '{given.lrs}' and '{given.xp}': '{part}', variant {given.variant}")
    with _Bar(part) as bar:
        run = align_encoders(
            encoders[0], encoders[1], sets, folder, given.variant, given.size, training_settings(given), pairs=pairs, say=say,
            progress=bar,
        )  # fmt: skip
    _tell(part, run, say)
    if run is not None and run.partners:
        n = run.partners["n"]
        shares = " and ".join(f"{100 * run.partners[name]:.1f} %" for name in ("first_xp", "first_lrs"))
        say(
            f"encoder '{part}': of {n} pairs held out, {shares} have their partner as the nearest ({100 / n:.1f} % by chance)"
        )


def _tell(part: str, run: Any, say: Say) -> None:
    """How far the loss fell; losses are drawn beside the training."""
    if run is None or run.history is None:
        return
    from ..report import save
    from ..report.losses_figure import draw_losses

    save(draw_losses(run.history.rows), run.folder, "losses")
    say(f"encoder '{part}': {run.history}")


class _Bar:
    """Progress of a training, step by step."""

    def __init__(self, part: str):
        self.bar = progress_bar(unit="step", desc=f"encoder {part}")

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, step: int, n_steps: int, *_: float) -> None:
        self.bar.total = n_steps
        self.bar.update(step - self.bar.n)
