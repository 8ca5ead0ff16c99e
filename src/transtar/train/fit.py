"""How each kind of fit is done: what is frozen, what trains, and how the result becomes an Estimator."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..devices import check_device
from ..errors import InputError, SettingsError, TranstarError
from ..models.estimator import Estimator, input_scalers
from ..models.lora import LoRALinear, add_lora, lora_factors, merge_lora
from ..models.mlp import MLPSettings, build_linear, build_mlp, is_plain_mlp
from ..models.networks import map_outputs
from ..models.residual import ResidualNetwork, assemble, build_head, innermost
from .augment import augment_flux
from .closed_form import fit_recalibration, fit_ridge
from .loop import Augment, History, Progress, Run, to_the_end, training
from .record import finished, provenance_step
from .sample import Sample
from .settings import (
    Full,
    LoRA,
    Recalibrate,
    Residual,
    Ridge,
    TrainSettings,
    default_learning_rate,
    finetuning_rate,
    plain,
)
from .shared import Shared, digest
from .steps import AutogradStep, DenseStep, Offset, StepModel


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
    sample: Sample,
    names: tuple[str, ...],
    preprocessing,
    settings: TrainSettings,
    mlp: MLPSettings,
    set_hash: str | None,
    progress: Progress | None,
    shared: Shared | None = None,
    *,
    step: str,
    strategy: str,
) -> Fit:
    """Draw the weights of a network with scalers of its own; see `transtar.train.pretrain`."""
    training, validation = sample.split(settings.validation_fraction, settings.seed)
    if settings.learning_rate is None:
        settings = replace(settings, learning_rate=default_learning_rate(len(training), settings.schedule))
    with _seeded(settings):
        network = build_mlp(sample.flux.shape[1], len(names), mlp).to(check_device(settings.device))
        state = torch.get_rng_state()
    blank = _blank(network, training, sample, names, preprocessing, settings.input_scale)

    def finish(history: History) -> Estimator:
        _refuse_divergence(history)
        if history.best_epoch == 0:
            raise TranstarError(
                f"training diverged or never improved on random weights (learning rate {history.learning_rate:g}); "
                "set another learning rate"
            )
        record = provenance_step(step, strategy, settings, sample, training, validation, set_hash, history)
        record["settings"]["mlp"] = plain(mlp)
        return finished(replace(blank, network=_detached(network)), None, training, validation, record)

    run = _run(blank, training, validation, settings, progress, shared)
    return Fit(_step_model(network, None, [], shared), run, finish, state)


def begin_adaptation(
    base: Estimator,
    sample: Sample,
    strategy: Residual | LoRA | Full,
    set_hash: str | None,
    progress: Progress | None,
    shared: Shared | None = None,
) -> Fit:
    """Lay an adapter on a copy of a model, or free all its weights; see `transtar.train.finetune`."""
    training, validation = sample.split(strategy.validation_fraction, strategy.seed)
    if strategy.learning_rate is None:
        strategy = replace(strategy, learning_rate=finetuning_rate(strategy.rate, len(training)))
    n_labels = len(base.label_names)
    with _seeded(strategy):
        frozen = copy.deepcopy(base.network).requires_grad_(False).to(check_device(strategy.device))
        rebuild: Callable[[], nn.Module]
        if isinstance(strategy, Residual):
            head = build_head(base.n_inputs, n_labels, strategy.head).to(strategy.device)
            model = _step_model(head, frozen if shared is None else _in_two(frozen, shared), [frozen], shared)
            rebuild = lambda: ResidualNetwork(frozen, head)  # noqa: E731
        elif isinstance(strategy, LoRA):
            core, heads = innermost(frozen)
            wrapped = add_lora(core if isinstance(core, nn.Sequential) else nn.Sequential(core), strategy.adapter)
            model = _step_model(wrapped, _sum_of(heads) if heads else None, heads, shared)
            rebuild = lambda: assemble(_unwrapped(merge_lora(wrapped)), heads)  # noqa: E731
        else:
            network = frozen.requires_grad_(True)
            chain = nn.Sequential(network) if isinstance(network, nn.Linear) else network
            model = _step_model(chain, None, [], shared)
            rebuild = lambda: network  # noqa: E731
        state = torch.get_rng_state()

    def finish(history: History) -> Estimator:
        _refuse_divergence(history)
        adapter = lora_factors(wrapped) if isinstance(strategy, LoRA) else None
        record = provenance_step("finetune", strategy.name, strategy, sample, training, validation, set_hash, history)
        adapted = replace(base, network=_detached(rebuild()), adapter=adapter)
        return finished(adapted, base, training, validation, record)

    return Fit(model, _run(base, training, validation, strategy, progress, shared), finish, state)


def _refuse_divergence(history: History) -> None:
    # With a validation set an epoch before it is kept.
    if history.kept != "best" and not math.isfinite(history.train_loss[-1]):
        raise TranstarError(
            f"training diverged in epoch {len(history.train_loss)} (learning rate {history.learning_rate:g}); "
            "set a lower learning rate"
        )


def recalibrate(base: Estimator, sample: Sample, strategy: Recalibrate, set_hash: str | None) -> Estimator:
    """Fit offset and slope on the predictions of a model and fold them into its last layer."""
    matrix, offset = fit_recalibration(base.predict(sample.flux), sample.labels, strategy, base.label_names)
    # From physical to standardised outputs: z' = (M (m + s z) + o - m) / s.
    mean, std = base.label_mean, base.label_std
    network = copy.deepcopy(base.network)
    map_outputs(
        network,
        torch.from_numpy(matrix * std[None, :] / std[:, None]),
        torch.from_numpy((matrix @ mean + offset - mean) / std),
    )
    nobody = sample.select(np.zeros(len(sample), dtype=bool))
    record = provenance_step("finetune", strategy.name, strategy, sample, sample, nobody, set_hash, None)
    record |= {"matrix": matrix.tolist(), "offset": offset.tolist()}
    return finished(replace(base, network=network, adapter=None), base, sample, nobody, record)


def ridge(sample: Sample, names: tuple[str, ...], preprocessing, strategy: Ridge, set_hash: str | None) -> Estimator:
    """Fit a ridge regression, a linear network with scalers of its own."""
    network = build_linear(sample.flux.shape[1], len(names))
    blank = _blank(network, sample, sample, names, preprocessing)
    inputs = blank.standardise(sample.flux).numpy()
    weight, bias, alphas = fit_ridge(inputs, _targets(blank, sample).numpy(), strategy)
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(weight))
        network.bias.copy_(torch.from_numpy(bias))
    nobody = sample.select(np.zeros(len(sample), dtype=bool))
    record = provenance_step("finetune", strategy.name, strategy, sample, sample, nobody, set_hash, None)
    record["alphas"] = alphas
    return finished(blank, None, sample, nobody, record)


def _run(
    scalers: Estimator,
    training: Sample,
    validation: Sample,
    settings: TrainSettings,
    progress: Progress | None,
    shared: Shared | None,
) -> Run:
    return Run(
        _inputs(scalers, training, shared),
        _targets(scalers, training),
        settings,
        training.weight_tensor(settings.poor_weight),
        (_inputs(scalers, validation, shared), _targets(scalers, validation)) if len(validation) else None,
        validation.weight_tensor(settings.poor_weight),
        None if settings.augmentation is None else _augmentation(scalers, training, settings, shared),
        progress,
    )


def _augmentation(scalers: Estimator, training: Sample, settings: TrainSettings, shared: Shared | None) -> Augment:
    changes = settings.augmentation
    assert changes is not None
    if scalers.preprocessing is None:
        raise SettingsError("augmentation needs spectra on a wavelength grid, but the model has no preprocessing")
    raw = torch.from_numpy(np.ascontiguousarray(training.flux)).to(settings.device)
    mean, inverse = (torch.from_numpy(a).to(settings.device) for a in (scalers.input_mean, 1 / scalers.input_std))
    step = scalers.preprocessing.wavelengths.step

    def scale(flux: torch.Tensor) -> torch.Tensor:
        return flux.sub_(mean).mul_(inverse)

    if shared is None:
        return lambda generator: scale(augment_flux(raw, changes, step, generator))
    return shared.augmentation(raw, changes, step, scale, digest(mean, inverse))


def _inputs(scalers: Estimator, sample: Sample, shared: Shared | None) -> torch.Tensor:
    if shared is None:
        return scalers.standardise(sample.flux)
    key = digest(sample.flux, scalers.input_mean, scalers.input_std)
    return shared.get(key, lambda: scalers.standardise(sample.flux))


def _step_model(
    network: nn.Module, offset: Offset | None, offset_of: list[nn.Module], shared: Shared | None
) -> StepModel:
    """A step model of a network; the offset is decided by the weights of `offset_of`."""
    if shared is not None and offset is not None:
        offset = shared.once(offset, *offset_of)
    if isinstance(network, nn.Sequential):
        merged = nn.Sequential(*(layer.layer if isinstance(layer, LoRALinear) else layer for layer in network))
        if is_plain_mlp(merged):
            return DenseStep(network, offset) if shared is None else DenseStep(network, offset, shared.once)
    return AutogradStep(network, offset)


def _in_two(frozen: nn.Module, shared: Shared) -> Offset:
    """The frozen network, its first layer apart, whose product LoRA needs too."""
    core, heads = innermost(frozen)
    if heads or not isinstance(core, nn.Sequential):
        return frozen
    first = shared.once(core[0], core[0])
    return lambda inputs: core[1:](first(inputs))


def _sum_of(heads: list[nn.Module]) -> Offset:
    return lambda inputs: torch.stack([head(inputs) for head in heads]).sum(dim=0)


def _unwrapped(network: nn.Sequential) -> nn.Module:
    # A linear network is kept as the bare layer; it is only wrapped to be trained.
    return network[0] if len(network) == 1 else network


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


def _targets(scalers: Estimator, sample: Sample) -> torch.Tensor:
    return torch.from_numpy(((sample.labels - scalers.label_mean) / scalers.label_std).astype(np.float32))


def _blank(
    network: nn.Module,
    training: Sample,
    sample: Sample,
    names: tuple[str, ...],
    preprocessing,
    input_scale: str = "pixel",
) -> Estimator:
    for index, name in enumerate(names):
        if not np.isfinite(training.labels[:, index]).any():
            raise InputError(f"training: no star has the label '{name}'")
    mean, std = np.nanmean(training.labels, axis=0), np.nanstd(training.labels, axis=0)
    input_mean, input_std = input_scalers(training.flux, common=input_scale == "common")
    return Estimator(
        network=network,
        input_mean=input_mean,
        input_std=input_std,
        label_names=names,
        label_mean=mean,
        label_std=np.where(std > 0, std, 1.0),
        label_min=np.nanmin(sample.labels, axis=0),
        label_max=np.nanmax(sample.labels, axis=0),
        preprocessing=preprocessing,
    )
