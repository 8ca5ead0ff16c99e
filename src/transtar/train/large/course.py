"""The steps of a training: torch's DistributedDataParallel, losses of the whole batch, and all that a checkpoint keeps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import TranstarError
from ...telling import tell
from .checkpoints import delete_checkpoints, load_checkpoint, save_checkpoint
from .large_history import LargeHistory
from .large_settings import EncoderTraining
from .objectives import Objective
from .ranks import OtherProcessFailed, Ranks, add_up, from_first, send_from_first
from .run_folder import RunFolder
from .stopping import Stopping
from .streams import Part, Stream

Progress = Callable[[int, int, float, float], None]

LOOK_ON_DEVICE = 20
"""Steps between two looks at the losses on a device that works beside the processor, which a look makes wait."""

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Course:
    """A training between two steps: all that a checkpoint keeps."""

    def __init__(
        self,
        objective: Objective,
        stream: Stream,
        settings: EncoderTraining,
        run: RunFolder | None,
        progress: Progress | None,
    ):
        self.objective, self.stream, self.settings, self.run, self.progress = objective, stream, settings, run, progress
        self.ranks = Ranks.current()
        self.device = next(objective.parameters()).device
        self.trained = {name: weight for name, weight in objective.named_parameters() if weight.requires_grad}
        self.kept = self.trained | dict(objective.named_buffers())
        self.best: dict[str, Tensor] | None = None
        self.optimiser = torch.optim.AdamW(
            self.trained.values(), lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
        )
        self.n_steps = settings.n_steps(stream.steps_per_epoch)
        self.check_every = settings.check_every or stream.steps_per_epoch
        self.look_every = 1 if self.device.type == "cpu" else LOOK_ON_DEVICE
        self.names = tuple(objective.weights)
        self.sums, self.counts = self._zeros(), self._zeros()
        self.weights = self._zeros() + self._values(objective.weights)
        self.history = LargeHistory(n_steps=self.n_steps)
        self.since = _nothing_since(len(self.names))
        self.reference, self.waited = math.inf, 0
        self.network: nn.Module = objective
        if self.ranks.size > 1:
            from torch.nn.parallel import DistributedDataParallel

            self.network = DistributedDataParallel(objective, [self.device] if self.device.type == "cuda" else None)

    @property
    def is_done(self) -> bool:
        """Whether all steps are done, or it has stopped early."""
        return self.history.step >= self.n_steps or self.history.stopped_early

    def _zeros(self) -> Tensor:
        # Sums of millions of squares; some devices have no double precision.
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.zeros(len(self.objective.weights), dtype=kind, device=self.device)

    # --- the steps ---

    def go_on(self, stopping: Stopping) -> None:
        """Train from where it is to the end, or to where it is asked to stop."""
        history, saved = self.history, time.monotonic()
        self.objective.train()
        if not history.rows:
            self._check()
        began = time.monotonic()
        while not self.is_done:
            epoch, start = divmod(history.step, self.stream.steps_per_epoch)
            with closing(self.stream.batches(epoch + 1, start)) as batches:  # type: ignore[type-var]
                for parts in batches:
                    self._step(parts)
                    at_check = history.step % self.check_every == 0 or history.step == self.n_steps
                    if not (at_check or history.step % self.look_every == 0 or self._is_due_by_steps()):
                        continue
                    asked = self._look(stopping.asked)
                    self._count(time.monotonic() - began)
                    if at_check:
                        self._check()
                    else:
                        self._show(math.nan, math.nan)
                    if asked or self.is_done or self._is_due(saved):
                        self._save()
                        saved = time.monotonic()
                    began = time.monotonic()
                    if asked:
                        self._tell_stopped(stopping)
                        return
                    if self.is_done:
                        break

    def _step(self, parts: list[Part]) -> None:
        settings, history = self.settings, self.history
        self._seed(history.step)
        moved = [self._moved(part) for part in parts]
        counts = self._zeros()
        for arrays, seeds in moved:
            counts += self._values(self.objective.counts(arrays, seeds))
        add_up(counts)
        # Gradients come out as the mean over the processes.
        scale = self.weights * self.ranks.size / counts.clamp(min=1)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate_at(history.step, self.n_steps)
        self.optimiser.zero_grad(set_to_none=True)
        for number, (arrays, seeds) in enumerate(moved):
            with self._without_sync(number < len(moved) - 1):
                with self._autocast():
                    given = self.network(arrays, seeds)
                terms = torch.stack([given[name].float() for name in self.names])
                (terms * scale.float()).sum().backward()
            self.sums += terms.detach()
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self.trained.values(), settings.clip)
        self.optimiser.step()
        self.counts += counts
        history.step += 1

    def _moved(self, part: Part) -> tuple[dict[str, Tensor], Tensor]:
        arrays = {name: array.to(self.device, non_blocking=True) for name, array in part.arrays.items()}
        return arrays, part.row_seeds.to(self.device, non_blocking=True)

    def _seed(self, step: int) -> None:
        """Whatever else is drawn, as dropout is, follows from seed, step and process: a checkpoint need not keep it."""
        state = np.random.SeedSequence([self.settings.seed, 3, step, self.ranks.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]) >> 1)

    def _values(self, terms: Mapping[str, Any]) -> Tensor:
        return torch.stack(
            [torch.as_tensor(terms[name], device=self.device).to(self.sums.dtype) for name in self.names]
        )

    def _without_sync(self, partly: bool):
        return self.network.no_sync() if partly and self.network is not self.objective else nullcontext()  # type: ignore[operator]

    def _autocast(self):
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _look(self, asked: bool) -> bool:
        """Add the losses of all processes up; whether one of them is asked to stop."""
        both = add_up(torch.cat([self.sums, self.sums.new_tensor([float(asked)])])).tolist()
        sums, counts = both[:-1], self.counts.tolist()
        self.sums, self.counts = self._zeros(), self._zeros()
        for kept, new in (("sums", sums), ("counts", counts)):
            self.since[kept] = [one + other for one, other in zip(self.since[kept], new, strict=True)]
        self._refuse_diverged(sums)
        return both[-1] > 0

    def _refuse_diverged(self, numbers: list[float]) -> None:
        if all(map(math.isfinite, numbers)):
            return
        if self.run is not None:
            # Nobody could go on from it.
            delete_checkpoints(self.run.path)
        kind = TranstarError if self.ranks.is_first else OtherProcessFailed
        raise kind(
            f"the training diverged at step {self.history.step:,}: the loss is no number; set a lower learning rate"
            + (", or precision float32" if self.settings.precision != "float32" else "")
        )

    def _count(self, seconds: float) -> None:
        samples = self.history.step * self.settings.batch_size - self.history.n_samples
        self.history.n_samples += samples
        self.history.seconds += seconds
        self.since["samples"] += samples
        self.since["seconds"] += seconds

    # --- validation, and what is kept ---

    def _check(self) -> None:
        """Look at the validation spectra, note the losses, and see whether it is time to stop."""
        history, since = self.history, self.since
        validation = self._validate()
        train = _means(since["sums"], since["counts"]) if history.rows else None
        rate = self.settings.rate_at(max(history.step - 1, 0), self.n_steps)
        row: dict[str, Any] = {
            "step": history.step,
            "epoch": history.step / self.stream.steps_per_epoch,
            "train_loss": None if train is None else self._total(train),
            "validation_loss": None if validation is None else self._total(validation),
            "learning_rate": rate,
            "samples_per_second": since["samples"] / since["seconds"] if since["seconds"] else None,
        }
        if len(self.names) > 1:
            for kind, means in (("train", train), ("validation", validation)):
                row |= {f"{kind}_{name}": means and means[place] for place, name in enumerate(self.names)}
        history.rows.append(row)
        self.since = _nothing_since(len(self.names))
        if validation is not None:
            self._judge(row["validation_loss"])
        if self.run is not None:
            self.run.write_losses(list(row), [list(one.values()) for one in history.rows])
        self._show(*(math.nan if row[name] is None else row[name] for name in ("train_loss", "validation_loss")))

    def _show(self, training: float, validation: float) -> None:
        if self.progress is not None and self.ranks.is_first:
            self.progress(self.history.step, self.n_steps, training, validation)

    def _total(self, means: list[float]) -> float:
        return sum(weight * mean for weight, mean in zip(self.objective.weights.values(), means, strict=True))

    @torch.no_grad()
    def _validate(self) -> list[float] | None:
        """Means of the terms over the validation spectra; None if there are none."""
        if not len(self.stream.validation):
            return None
        send_from_first(list(self.objective.buffers()))
        self.objective.eval()
        sums, counts = self._zeros(), self._zeros()
        for part in self.stream.held_out():
            arrays, seeds = self._moved(part)
            counts += self._values(self.objective.counts(arrays, seeds))
            with self._autocast():
                sums += self._values(self.objective(arrays, seeds))
        self.objective.train()
        both = add_up(torch.cat([sums, counts])).tolist()
        self._refuse_diverged(both)
        return _means(both[: len(sums)], both[len(sums) :])

    def _judge(self, loss: float) -> None:
        history, settings = self.history, self.settings
        if history.best_loss is None or loss < history.best_loss:
            history.best_loss, history.best_step = loss, history.step
            self.best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.kept.items()}
        if loss < self.reference - settings.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1
        history.stopped_early = settings.patience is not None and self.waited >= settings.patience

    @torch.no_grad()
    def keep_best(self) -> None:
        """Put the weights of the lowest validation loss in their place."""
        if self.best is not None:
            for name, tensor in self.best.items():
                self.kept[name].copy_(tensor)
        self.objective.eval()

    # --- checkpoints ---

    def _is_due_by_steps(self) -> bool:
        every = self.settings.checkpoint_steps
        return every is not None and self.history.step % every == 0

    def _is_due(self, saved: float) -> bool:
        return self._is_due_by_steps() or time.monotonic() - saved > 60 * self.settings.checkpoint_minutes

    def _tell_stopped(self, stopping: Stopping) -> None:
        if not stopping.asked:
            raise OtherProcessFailed("another process was interrupted")
        if self.run is not None:
            tell(
                f"{self.run.path}: {self.history.step:,} of {self.n_steps:,} steps are kept; the same command resumes from there"
            )

    def _save(self) -> None:
        if self.run is None:
            return
        state = {
            "history": vars(self.history), "since": self.since, "waited": self.waited,
            "reference": None if math.isinf(self.reference) else self.reference, "best": self.best is not None,
        }  # fmt: skip
        save_checkpoint(self.run.path, self.history.step, state, self._tensors())

    @torch.no_grad()
    def resume(self) -> None:
        """Take up the checkpoint, if there is one; the first process reads it for all."""
        loaded: dict[str, Tensor] = {}

        def load() -> dict[str, Any] | None:
            if self.run is None or (content := load_checkpoint(self.run.path, self._expected)) is None:
                return None
            loaded.update(content[1])
            return content[0]

        state = from_first(load)
        if state is None:
            return
        for name, tensor in self._tensors(state["best"]).items():
            # On the device, where the processes speak.
            sent = (loaded[name] if loaded else tensor).to(self.device, copy=True)
            send_from_first([sent])
            tensor.copy_(sent)
        self.history = LargeHistory(**state["history"])
        for moments in self.optimiser.state.values():
            moments["step"].fill_(self.history.step)
        self.since, self.waited = state["since"], state["waited"]
        self.reference = math.inf if state["reference"] is None else state["reference"]

    def _expected(self, state: dict[str, Any]) -> dict[str, Tensor]:
        return self._tensors(state["best"])

    def _tensors(self, best: bool | None = None) -> dict[str, Tensor]:
        """The tensors of a checkpoint by name; moments are zero before the first step."""
        tensors = {f"kept.{name}": tensor for name, tensor in self.kept.items()}
        for name, weight in self.trained.items():
            moments = self.optimiser.state[weight]
            if not moments:
                moments |= {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
            tensors |= {f"moments.{name}.{kind}": moments[kind] for kind in _MOMENTS}
        if self.best is None and best:
            self.best = {name: torch.empty_like(tensor, device="cpu") for name, tensor in self.kept.items()}
        if self.best is not None and best is not False:
            tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        return tensors


def _nothing_since(n_terms: int) -> dict[str, Any]:
    return {"sums": [0.0] * n_terms, "counts": [0.0] * n_terms, "seconds": 0.0, "samples": 0}


def _means(sums: Sequence[float], counts: Sequence[float]) -> list[float]:
    return [total / max(count, 1.0) for total, count in zip(sums, counts, strict=True)]
