"""Fine-tuning end to end: what makes the embeddings becomes part of the network that is trained, and learns with the rest."""

from __future__ import annotations

from ..datasets.inputs import FLUX
from ..errors import SettingsError
from ..models.estimator import Estimator
from ..models.folding import folded
from ..networks.encoded import EncodedNetwork
from .strategies import Strategy


def is_end_to_end(strategy: Strategy) -> bool:
    """Whether a strategy trains encoders too."""
    return bool(getattr(strategy, "end_to_end", False))


def training_input(strategy: Strategy, model: Estimator) -> str:
    """By which input stars must be known for a model to learn from them.

    Parameters
    ----------
    strategy : Strategy
    model : Estimator

    Returns
    -------
    str
        The model's own, or the flux where an encoder learns too.
    """
    return FLUX.name if is_end_to_end(strategy) else model.input


def begin_with_encoder(strategy: Strategy, model: Estimator) -> Estimator:
    """The model that a strategy begins with: with its encoders inside, where they are to learn.

    Parameters
    ----------
    strategy : Strategy
    model : Estimator
        Left as it is; its encoders, too.

    Returns
    -------
    Estimator

    Raises
    ------
    InputError
        If an encoder of the model cannot be loaded.
    SettingsError
        If there is no encoder that could learn.
    """
    if not is_end_to_end(strategy) or not isinstance(model, Estimator):
        return model
    whole = folded(model)
    if not any(isinstance(layer, EncodedNetwork) for layer in whole.network.modules()):
        name = getattr(strategy, "name", type(strategy).__name__)
        raise SettingsError(
            f"{name}: end_to_end trains the encoder of a model, and one of the input '{model.input}' has none; leave it out"
        )
    return whole
