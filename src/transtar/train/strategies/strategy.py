"""What a fine-tuning strategy is to transtar, and the registry of strategies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from ...errors import SettingsError, check_keys
from ...names import check_name
from ...plugins import load_offered, offered
from ..settings import settings_from_dict

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator
    from ..fit import Fit
    from ..loop import Progress
    from ..shared import Shared

ENTRY_POINT_GROUP = "transtar.strategies"


@dataclass(frozen=True, eq=False)
class Moved:
    """What a training moved: the sum of `moving` and `fixed` is the output of the network.

    Parameters
    ----------
    moves : str
        In words: 'residual head', 'LoRA factors'.
    moving : tuple of nn.Module
        Networks whose weights move; where they hold a `LoRALinear`, only its A and B do.
    fixed : tuple of nn.Module
    start : nn.Module or None
        The network from which the training began, where the weights tell it.
    """

    moves: str
    moving: tuple[nn.Module, ...]
    fixed: tuple[nn.Module, ...] = ()
    start: nn.Module | None = None


class Strategy:
    """How a model is adapted to stars of another survey: a frozen dataclass of its settings.

    A subclass of `FineTuning` trains weights by gradient descent and needs little more than a name; any other has a `begin` of
    its own. What it says of itself here is all that the command line, studies, tables and figures know of it.

    Attributes
    ----------
    name : str
        For studies, the command line and results.
    title : str
        In tables; the name if empty.
    colour, marker : str
        In figures, as matplotlib takes them; spare ones if empty.
    uses_model : bool
        False if nothing of the model is used but its labels and preprocessing.
    fits : bool
        False if it is no run of its own, as it leaves the model as it is.
    trains : bool
        Whether weights are trained step by step.
    null : bool
        A null model: an adapter that does not beat it has learnt nothing.
    candidate : bool
        Whether ``--strategy auto`` tries it.
    command : bool
        Whether ``transtar finetune --strategy`` takes it.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    colour: ClassVar[str] = ""
    marker: ClassVar[str] = ""
    uses_model: ClassVar[bool] = True
    fits: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    null: ClassVar[bool] = False
    candidate: ClassVar[bool] = False
    command: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        # A variant of a strategy is known by a look of its own, and is tried by ``auto`` only if it says so.
        for name in ("title", "colour", "marker", "candidate"):
            if name not in vars(cls):
                setattr(cls, name, getattr(Strategy, name))

    def begin(
        self, model: Estimator, stars: Stars, progress: Progress | None = None, shared: Shared | None = None
    ) -> Fit | Estimator:
        """Do all that comes before the training, or all of it where nothing is trained step by step.

        Parameters
        ----------
        model : Estimator
            Is left as it is.
        stars : Stars
            With its labels and its input.
        progress : callable, optional
            See `transtar.train.loop.train`.
        shared : Shared, optional
            What other runs have computed already; it finds by itself what is the same.

        Returns
        -------
        Fit or Estimator
            A training that is ready to run, or the adapted model.

        Raises
        ------
        InputError
            If there are too few stars.
        """
        raise NotImplementedError

    @classmethod
    def moved(cls, model: Estimator) -> Moved | None:
        """What this strategy moved in a model, for those who explain it.

        Parameters
        ----------
        model : Estimator

        Returns
        -------
        Moved or None
            None if it moved all weights, or was not the last to train the model.

        Raises
        ------
        InputError
            If the model does not hold what was moved any more.
        """
        return None

    def passes(self, n_stars: int) -> int:
        """Epochs that it goes through all of so many stars, about, to guess the cost; 0 where nothing is trained step by step."""
        return 0

    def weights_in_step(self, n_inputs: int, hidden: Sequence[int]) -> tuple[int, int]:
        """Weights that train, and frozen ones that every step multiplies by, about, to guess cost and memory.

        Parameters
        ----------
        n_inputs : int
        hidden : sequence of int
            Widths of the hidden layers of the model.

        Returns
        -------
        trained, frozen : int
        """
        return 0, 0


_REGISTERED: dict[str, type[Strategy]] = {}


def register_strategy(kind: type[Strategy]) -> type[Strategy]:
    """Make a strategy known by its name for the rest of the process; may be used as a decorator.

    A package that wants its strategy known wherever it is installed, and in the worker processes of a study, declares an entry
    point instead::

        [project.entry-points."transtar.strategies"]
        huber = "mypackage.strategy:Huber"

    Parameters
    ----------
    kind : type
        A frozen dataclass that is a `Strategy`, mostly by way of `FineTuning`.

    Returns
    -------
    type
        The same.

    Raises
    ------
    SettingsError
        If it is no such class, or another strategy has that name.
    """
    # One that is no dataclass itself has the settings of the class above it, and none of its own.
    if not (isinstance(kind, type) and issubclass(kind, Strategy) and "__dataclass_fields__" in vars(kind)):
        raise SettingsError(f"a strategy is a dataclass that is a transtar.train.Strategy, not {kind!r}")
    name = check_name(getattr(kind, "name", None), f"name of the strategy {kind.__name__}")
    if name in ("pretrain", "mlp") or _REGISTERED.get(name, kind) is not kind:
        raise SettingsError(f"a strategy named '{name}' is registered already; choose another name")
    _REGISTERED[name] = kind
    return kind


def strategy_names() -> list[str]:
    """Names of all strategies, registered or offered by an installed package, in the order of tables. Loads no package."""
    return [*_REGISTERED, *sorted({*offered(ENTRY_POINT_GROUP)} - {*_REGISTERED})]


def get_strategy(name: str) -> type[Strategy]:
    """Look a strategy up by name, loading the package that offers it if need be.

    Parameters
    ----------
    name : str

    Returns
    -------
    type
        A frozen dataclass that is a `Strategy`.

    Raises
    ------
    SettingsError
        If no strategy has that name (the message lists those that exist), or the package that offers it is broken.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    kind = load_offered(ENTRY_POINT_GROUP, name, "strategy", type)
    if kind is None:
        check_keys([name], strategy_names(), "strategy")
    return register_strategy(kind)


def find_strategy(name: str) -> type[Strategy] | None:
    """As `get_strategy`, but None for a name that is no strategy here, such as one of a package that is not installed."""
    try:
        return get_strategy(name)
    except SettingsError:
        return None


def strategies() -> Iterator[type[Strategy]]:
    """All strategies in the order of tables, but for those whose package is broken."""
    return (kind for kind in map(find_strategy, strategy_names()) if kind is not None)


def null_models() -> tuple[str, ...]:
    """Names of the null models."""
    return tuple(kind.name for kind in strategies() if kind.null)


def trained_strategies() -> tuple[str, ...]:
    """Names of those that train weights step by step."""
    return tuple(kind.name for kind in strategies() if kind.trains)


def command_strategies() -> list[str]:
    """Names that the command line takes: adapters first, null models last."""
    kinds = sorted((kind for kind in strategies() if kind.command), key=lambda kind: kind.null)
    return [kind.name for kind in kinds]


def make_strategy(name: str, **settings: Any) -> Any:
    """Build the settings of a strategy by its name.

    Parameters
    ----------
    name : str
        One of `strategy_names`.
    **settings
        Fields of its settings class; those not given keep their defaults.

    Returns
    -------
    Strategy

    Raises
    ------
    SettingsError
        If there is no such strategy, or the strategy has no such setting.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.make_strategy("lora", epochs=50).epochs
    50
    """
    return settings_from_dict(get_strategy(name), settings)
