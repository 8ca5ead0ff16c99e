"""What a study says of an encoder: its kind, and the settings that this kind has."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from ..checks import MOST_EPOCHS, MOST_MOCKS, MOST_SEED, MOST_WIDTH
from ..errors import SettingsError, shown
from ..schema import Section, Settings, Text, listed, null_is, one_of, real, whole
from .sample import UnlabelledSample, Unsaid

PCA, RANDOM, STORED, WITH_REAL = "pca", "random", "stored", "with-real"
MASKED, AUTOENCODER, ALIGNED = "masked", "autoencoder", "aligned"

KEYS: dict[str, tuple[str, ...]] = {
    STORED: ("encoder",),
    PCA: ("components",),
    RANDOM: ("encoder", "seed"),
    WITH_REAL: ("stars", "epochs", "share", "seed"),
    MASKED: ("spectra", "size", "training", "network", "seed"),
    AUTOENCODER: ("spectra", "size", "training", "network", "seed"),
    ALIGNED: ("lrs", "xp", "pairs", "variant", "size", "training", "seed"),
}
"""By kind of encoder the keys that go with it."""

SIZES = ("small", "paper")
VARIANTS = ("base", "pr", "split")


@dataclass(frozen=True)
class StudyEncoder(Section):
    """What makes an input of the spectra.

    Parameters
    ----------
    kind : {'stored', 'pca', 'random', 'with-real', 'masked', 'autoencoder', 'aligned'}, optional
        'stored' is an encoder by name or folder, 'pca' the principal components of the source's pool, 'random' an encoder with
        the layers of a stored one and weights that the study draws, 'with-real' one trained as `through` that sees, beside mock
        stars, spectra of the pools of source and target without their labels. 'masked' is a transformer that learns to fill in
        what is hidden of spectra, 'autoencoder' one of Gaia XP spectra, which is no input but part of 'aligned': a transformer
        whose embeddings are brought together with those of XP spectra. By default 'pca' and 'random' for inputs of these names.
    encoder : str
        Name or folder of the encoder, or of the one whose layers a random one has; by default the name of the input, and of a
        random one `through`.
    components : int
        Of principal components, at most as many as the pool has stars.
    seed : int
        Of random weights, and of training.
    stars : int
        Mock stars that are drawn for 'with-real'; 40,000 for each seed of views made `through`, which had two.
    epochs : int
        Of 'with-real'.
    share : float
        Part of the stars of an epoch of 'with-real' that are real; none makes what it is to be compared with.
    spectra : list of UnlabelledSample
        Spectra, which need no labels, from whose pools 'masked' or 'autoencoder' learns; of 'masked' by default the source.
    size : {'small', 'paper'}
        Of networks and training of 'masked', 'autoencoder' and 'aligned'.
    training : dict
        Settings of `transtar.train.large.EncoderTraining` other than those of the size, such as `steps`, `epochs`, `batch_size`.
    network : dict
        Settings of the network other than those of the size.
    lrs, xp : str
        Of 'aligned': names of the encoders, of kinds 'masked' and 'autoencoder', that are brought together.
    pairs : str
        Of 'aligned': table with identifiers of the survey of `lrs` and of Gaia; if empty, the spectra have Gaia's themselves.
    variant : {'base', 'pr', 'split'}
        Of 'aligned'.
    """

    kind: Annotated[str, one_of(KEYS, "kind")] | None = None
    encoder: Unsaid = ""
    components: Annotated[int, whole(1, MOST_WIDTH)] = 128
    seed: Annotated[int, whole(0, MOST_SEED)] = 0
    stars: Annotated[int, whole(1, MOST_MOCKS)] = 40_000
    epochs: Annotated[int, whole(1, MOST_EPOCHS)] = 25
    share: Annotated[float, real(0, 0.9)] = 0.15
    spectra: Annotated[list[UnlabelledSample], listed("a list of samples"), null_is(list)] = field(default_factory=list)
    size: Annotated[str, one_of(SIZES, "size")] = "small"
    training: Annotated[Settings, null_is(dict)] = field(default_factory=dict)
    network: Annotated[Settings, null_is(dict)] = field(default_factory=dict)
    lrs: Text = "embed"
    xp: Text = "embed-xp"
    pairs: Unsaid = ""
    variant: Annotated[str, one_of(VARIANTS, "variant")] = "base"


def check_keys_of_kind(given: StudyEncoder, kind: str, where: str) -> None:
    """Refuse settings that would change nothing, for this kind of encoder does not have them.

    Parameters
    ----------
    given : StudyEncoder
        As in the file.
    kind : str
        Its kind, which the file need not say.
    where : str
        For the message.

    Raises
    ------
    SettingsError
    """
    plain: Any = StudyEncoder()
    said = [one.name for one in fields(StudyEncoder) if getattr(given, one.name) != getattr(plain, one.name)]
    for name in said:
        if name not in ("kind", *KEYS[kind]):
            raise SettingsError(
                f"{where}: {name} does not go with the kind '{shown(kind)}', which has {', '.join(KEYS[kind])}"
            )
