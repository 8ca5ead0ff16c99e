"""A fit: a network and a loss with the stars to learn from, and how the result becomes an Estimator."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from ..datasets.inputs import FLUX
from ..datasets.stars import Stars
from ..devices import check_device
from ..errors import InputError, SettingsError, TranstarError
from ..grids import LogGrid
from ..models.estimator import Estimator, input_scalers
from ..networks.residual import innermost
from ..telling import tell
from .augment import augment_flux
from .fast import accelerated
from .loop import Augment, History, Progress, Run, to_the_end, training
from .losses import Loss
from .record import finished, provenance_step, seen_by_encoders
from .settings import TrainSettings
from .shared import Shared, digest
from .steps import AutogradStep, Offset, StepModel

if TYPE_CHECKING:
    from .strategies import FineTuning
    from .strategies.gradient import Trainable

Settings = TypeVar("Settings", bound=TrainSettings)


@dataclass(frozen=True, eq=False)
class Fit:
    """A training that is ready to begin.

    Parameters
    ----------
    model : StepModel
    run : Run
    finish : callable
        Makes the Estimator, once the model is trained.
    random_state : Tensor
        That of torch's global generator after the weights were drawn, from which dropout goes on.
    """

    model: StepModel
    run: Run
    finish: Callable[[History], Estimator]
    random_state: torch.Tensor


def carry_out(fit: Fit) -> Estimator:
    """Train by itself what is ready to begin."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(fit.random_state)
        (history,) = to_the_end(training(fit.model, [fit.run]))
    return fit.finish(history)


def begin_fresh(
    stars: Stars,
    settings: TrainSettings,
    build: Callable[[int, int], nn.Module],
    preprocessing,
    progress: Progress | None = None,
    shared: Shared | None = None,
    *,
    step: str,
    strategy: str,
) -> Fit:
    """Draw the weights of a network with scalers of its own; `build` takes the numbers of inputs and outputs."""
    # Before the work: without its encoder nobody knows which stars a model has seen.
    seen_by_encoders(stars.encoders)
    settings = _augmentable(settings, stars).for_stars(len(stars))
    training, validation = _split(stars, settings)
    if settings.learning_rate is None:
        settings = replace(settings, learning_rate=settings.rate_for(len(training)))
    with _seeded(settings):
        network = build(stars.inputs.shape[1], len(stars.label_names)).to(check_device(settings.device))
        state = torch.get_rng_state()
    blank = blank_estimator(network, training, stars, preprocessing, settings.input_scale)

    def finish(history: History) -> Estimator:
        _refuse_divergence(history)
        if history.best_epoch == 0:
            raise TranstarError(
                f"training diverged or never improved on random weights (learning rate {history.learning_rate:g}); "
                "set another learning rate"
            )
        record = provenance_step(step, strategy, settings, stars, training, validation, history)
        return finished(replace(blank, network=_detached(network)), None, training, validation, record)

    run = _run(blank, training, validation, settings, progress, shared)
    return Fit(_step_model(network, settings.loss, None, shared), run, finish, state)


def begin_adaptation(
    model: Estimator,
    stars: Stars,
    strategy: FineTuning,
    progress: Progress | None = None,
    shared: Shared | None = None,
) -> Fit:
    """Lay what trains on a copy of a model; see `transtar.train.strategies.FineTuning.trainable`."""
    strategy = _augmentable(strategy, stars).for_stars(len(stars))
    training, validation = _split(stars, strategy)
    if strategy.learning_rate is None:
        strategy = replace(strategy, learning_rate=strategy.rate_for(len(stars)))
    with _seeded(strategy):
        frozen = copy.deepcopy(model.network).requires_grad_(False).to(check_device(strategy.device))
        trainable = _checked(strategy, strategy.trainable(frozen, model.n_inputs, len(model.label_names)))
        state = torch.get_rng_state()

    def finish(history: History) -> Estimator:
        _refuse_divergence(history)
        if history.best_epoch == 0 and not math.isfinite(history.train_loss[-1]):
            tell(
                f"training diverged at once (learning rate {history.learning_rate:g}); the weights stay those of the model"
            )
        adapter = None if trainable.adapter is None else trainable.adapter()
        record = provenance_step("finetune", strategy.name, strategy, stars, training, validation, history)
        adapted = replace(model, network=_detached(trainable.finish()), adapter=adapter)
        return finished(adapted, model, training, validation, record)

    step = _step_model(trainable.network, strategy.loss, trainable.offset, shared)
    return Fit(step, _run(model, training, validation, strategy, progress, shared), finish, state)


def _split(stars: Stars, settings: TrainSettings) -> tuple[Stars, Stars]:
    """Stars to train on, and those held out."""
    assert settings.validation_fraction is not None
    return stars.split(settings.validation_fraction, settings.seed)


def _augmentable(settings: Settings, stars: Stars) -> Settings:
    """The settings without augmentation, which is of spectra, where the input is another."""
    if settings.augmentation is None or stars.input == FLUX.name:
        return settings
    tell(f"augmentation changes spectra, so there is none for the input '{stars.input}'")
    return replace(settings, augmentation=None)


def _checked(strategy: FineTuning, trainable: Trainable) -> Trainable:
    """What a strategy, perhaps of a package from outside, gives to train."""
    if any(not hasattr(trainable, name) for name in ("network", "finish", "offset", "adapter")):
        raise SettingsError(
            f"strategy {strategy.name}: trainable must return a Trainable, not {type(trainable).__name__}"
        )
    if not any(parameter.requires_grad for parameter in trainable.network.parameters()):
        raise SettingsError(
            f"strategy {strategy.name}: no weight of its network trains; set requires_grad in trainable"
        )
    return trainable


def _refuse_divergence(history: History) -> None:
    if history.kept == "best" and math.isnan(history.validation_loss[0]):
        raise TranstarError(
            "nothing was learnt: the loss of the validation stars is not a number before the training begins"
        )
    # With a validation set an epoch before it is kept.
    if history.kept != "best" and not math.isfinite(history.train_loss[-1]):
        raise TranstarError(
            f"training diverged in epoch {len(history.train_loss)} (learning rate {history.learning_rate:g}); "
            "set a lower learning rate"
        )


def _run(
    scalers: Estimator,
    training: Stars,
    validation: Stars,
    settings: TrainSettings,
    progress: Progress | None,
    shared: Shared | None,
) -> Run:
    return Run(
        _inputs(scalers, training, shared),
        standard_targets(scalers, training),
        settings,
        _weights(training, settings),
        (_inputs(scalers, validation, shared), standard_targets(scalers, validation)) if len(validation) else None,
        _weights(validation, settings),
        None if settings.augmentation is None else _augmentation(scalers, training, settings, shared),
        progress,
    )


def _augmentation(scalers: Estimator, training: Stars, settings: TrainSettings, shared: Shared | None) -> Augment:
    changes = settings.augmentation
    assert changes is not None
    if scalers.preprocessing is None:
        raise SettingsError("augmentation needs spectra on a wavelength grid, but the model has no preprocessing")
    raw = torch.from_numpy(np.ascontiguousarray(training.inputs)).to(settings.device)
    mean, inverse = (torch.from_numpy(a).to(settings.device) for a in (scalers.input_mean, 1 / scalers.input_std))
    grid = scalers.preprocessing.wavelengths
    if changes.shift_kms and not isinstance(grid, LogGrid):
        tell(f"augmentation: no velocity shifts on the grid '{grid.name}', which is not even in log wavelength")
        changes = replace(changes, shift_kms=0.0)
    # Nothing but a shift depends on the step.
    step = grid.step if isinstance(grid, LogGrid) else 1.0

    def scale(flux: torch.Tensor) -> torch.Tensor:
        return flux.sub_(mean).mul_(inverse)

    if shared is None:
        return lambda generator: scale(augment_flux(raw, changes, step, generator))
    return shared.augmentation(raw, changes, step, scale, digest(mean, inverse))


def _inputs(scalers: Estimator, stars: Stars, shared: Shared | None) -> torch.Tensor:
    if shared is None:
        return scalers.standardise(stars.inputs)
    key = digest(stars.inputs, scalers.input_mean, scalers.input_std)
    return shared.get(key, lambda: scalers.standardise(stars.inputs))


def _weights(stars: Stars, settings: TrainSettings) -> torch.Tensor | None:
    weights = stars.loss_weights(settings.poor_weight)
    return None if weights is None else torch.from_numpy(weights)


def _step_model(network: nn.Module, loss: Loss, offset: nn.Module | None, shared: Shared | None) -> StepModel:
    """A step of a network and a loss: the accelerated one if there is one, else by autograd."""
    function: Offset | None = offset
    if shared is not None and offset is not None:
        function = shared.once(_in_two(offset, shared), offset)
    fast = accelerated(network, loss, function, None if shared is None else shared.once)
    return AutogradStep(network, function, loss) if fast is None else fast


def _in_two(frozen: nn.Module, shared: Shared) -> Offset:
    """The frozen network, its first layer apart, whose product LoRA needs too."""
    core, heads = innermost(frozen)
    if heads or type(core) is not nn.Sequential:
        return frozen
    first = shared.once(core[0], core[0])
    return lambda inputs: core[1:](first(inputs))


def _detached(network: nn.Module) -> nn.Module:
    # A deep copy gives every parameter memory of its own again, out of the flat tensor it was trained in.
    network = copy.deepcopy(network).cpu().requires_grad_(True).eval()
    for parameter in network.parameters():
        parameter.grad = None
    return network


@contextmanager
def _seeded(settings: TrainSettings) -> Iterator[None]:
    # Initial weights and dropout draw from torch's global generator: seed it inside, leave it untouched outside.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        yield


def standard_targets(scalers: Estimator, stars: Stars) -> torch.Tensor:
    """Labels standardised as the model has them, shape (n, n_labels), float32; NaN where missing."""
    return torch.from_numpy(((stars.labels - scalers.label_mean) / scalers.label_std).astype(np.float32))


def blank_estimator(
    network: nn.Module, training: Stars, stars: Stars, preprocessing, input_scale: str = "pixel"
) -> Estimator:
    """A model of untrained weights, with scalers of the training stars."""
    for index, name in enumerate(stars.label_names):
        if not np.isfinite(training.labels[:, index]).any():
            raise InputError(f"training: no star has the label '{name}'")
    mean, std = np.nanmean(training.labels, axis=0), np.nanstd(training.labels, axis=0)
    input_mean, input_std = input_scalers(training.inputs, input_scale == "common", stars.input_sizes)
    return Estimator(
        network=network,
        input_mean=input_mean,
        input_std=input_std,
        label_names=stars.label_names,
        label_mean=mean,
        label_std=np.where(std > 0, std, 1.0),
        label_min=np.nanmin(stars.labels, axis=0),
        label_max=np.nanmax(stars.labels, axis=0),
        preprocessing=preprocessing,
        input=stars.input,
        encoders=stars.encoders,
    )
