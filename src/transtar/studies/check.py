"""What the values of a study file may be, checked before anything is made of them; `load` checks how they go together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..checks import (
    MOST_SEED,
    MOST_STARS,
    check_list,
    check_mapping,
    check_real,
    check_switch,
    check_text,
    check_whole,
)
from ..errors import SettingsError, check_keys, shown
from ..glossary import LABELS
from ..names import check_name

RESERVED = ("default", "chosen", "ensemble")
"""Names of variants that the results use themselves."""

RESERVED_ENDINGS = ("-ensemble", "-joint")

MOST_RUNS = 100_000
"""Of one study: seeds, sizes, strategies, models and variants multiply."""


def check_content(content: dict[str, Any], where: str) -> None:
    """Refuse values of the wrong kind, numbers out of range, labels that do not exist, and names that cannot be.

    Parameters
    ----------
    content : dict
        Of a study file.
    where : str
        The study, for messages.

    Raises
    ------
    SettingsError
        Naming the key.
    """
    for name, check in _CHECKS.items():
        if name in content:
            check(content[name], f"{where}: {name}")


def check_numbers(values: Any, what: str, low: int = 1, high: int = MOST_STARS) -> None:
    """Refuse what is no list of whole numbers within limits, each once.

    Raises
    ------
    SettingsError
    """
    for value in check_list(values, what, "a list"):
        check_whole(value, f"{what}: each", low, high)
    _each_once(values, what)


def check_rates(values: Any, what: str) -> None:
    """Refuse what is no list of positive numbers, each once.

    Raises
    ------
    SettingsError
    """
    for value in check_list(values, what, "a list of numbers"):
        check_real(value, f"{what}: each", 0, above=True)
    _each_once(values, what)


def check_variant(name: Any, what: str) -> None:
    """Refuse a name of a variant that is none, or one that the results use themselves.

    Raises
    ------
    SettingsError
    """
    check_name(name, what)
    if name in RESERVED or name.endswith(RESERVED_ENDINGS):
        endings = " or ".join(f"'{ending}'" for ending in RESERVED_ENDINGS)
        raise SettingsError(
            f"{what}: '{name}' is taken; none of {', '.join(RESERVED)}, and nothing that ends in {endings}"
        )


def _each_once(values: list, what: str) -> None:
    twice = next((value for number, value in enumerate(values) if value in values[:number]), None)
    if twice is not None:
        raise SettingsError(f"{what}: {shown(twice)} comes twice")


def _texts(values: Any, what: str, kind: str = "a list of texts") -> None:
    for value in check_list(values, what, kind):
        check_text(value, f"{what}: each")


def _settings_by_name(value: Any, what: str, check: Callable[[Any, str], Any] = check_name) -> None:
    for name, settings in check_mapping(value, what).items():
        check(name, what)
        if settings is not None and not isinstance(settings, dict):
            raise SettingsError(f"{what.replace(': ', ', ')}.{name}: expected settings, got '{shown(settings)}'")


def _models(value: Any, what: str) -> None:
    for name, labels in check_mapping(value, what).items():
        check_name(name, what)
        own = f"{what}.{name}"
        if not isinstance(labels, list) or not labels:
            raise SettingsError(f"{own} must be a list of labels, not '{shown(labels)}'")
        check_keys(labels, LABELS, own)
        _each_once(labels, own)


def _strategies(value: Any, what: str) -> None:
    _settings_by_name(value, what)
    for name, settings in value.items():
        for key in settings or {}:
            check_text(key, f"{what}.{name}: each key")
        for part in ("by_size", "by_model"):
            own = (settings or {}).get(part, {})
            if not isinstance(own, dict) or not all(
                isinstance(one, dict) and all(isinstance(key, str) for key in one) for one in own.values()
            ):
                raise SettingsError(f"{what}.{name}.{part}: expected settings, got '{shown(own)}'")
            for key in own if part == "by_size" else ():
                check_whole(key, f"{what}.{name}.by_size: each size")


def _by_label(value: Any, what: str) -> None:
    for label, column in check_mapping(value, what).items():
        check_keys([label], LABELS, what)
        check_text(column, f"{what}.{label}")


def _by_name(value: Any, what: str) -> None:
    for name, other in check_mapping(value, what).items():
        check_name(name, what)
        check_text(other, f"{what}.{name}")


def _adapter(value: Any, what: str) -> None:
    for size, chosen in check_mapping(value, what).items():
        check_whole(size, f"{what}: each size")
        for strategy in chosen.values() if isinstance(chosen, dict) else ():
            check_text(strategy, f"{what} of {size}: each strategy")


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "title": check_text,
    "description": check_text,
    "split": check_text,
    "notes": _texts,
    "rest": check_switch,
    "models": _models,
    "seeds": lambda value, what: check_numbers(value, what, 0, MOST_SEED),
    "sizes": check_numbers,
    "catalogs": lambda value, what: _texts(value, what, "a list of files and folders"),
    "selections": _settings_by_name,
    "variants": lambda value, what: _settings_by_name(value, what, check_variant),
    "scales": _settings_by_name,
    "strategies": _strategies,
    "sources": check_mapping,
    "preprocessing": check_mapping,
    "quality": check_mapping,
    "pretrain": check_mapping,
    "prior": _by_name,
    "pipeline": _by_label,
    "adapter": _adapter,
}
