"""Devices to train on."""

from __future__ import annotations

import re

from .errors import SettingsError, shown


def known_devices() -> list[str]:
    """The devices of this machine by the names that torch takes, the CPU first."""
    import torch

    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    for kind in ("mps", "xpu"):
        if getattr(torch, kind, None) is not None and getattr(torch, kind).is_available():
            names.append(kind)
    return names


def check_device(name, here: bool = True) -> str:
    """Refuse a device that there is not.

    Parameters
    ----------
    name : str
    here : bool
        On this machine; else of a kind that torch may have somewhere.

    Returns
    -------
    str
        The name.

    Raises
    ------
    SettingsError
        Which lists those that there are.
    """
    kind = isinstance(name, str) and re.fullmatch(r"cpu|(cuda|mps|xpu)(:[0-9]{1,3})?", name)
    # The CPU is always there, and finding out about others is slow.
    if name == "cpu" or (kind and not here):
        return name
    known = known_devices()
    if not isinstance(name, str) or name not in known:
        what = f"this machine has no device '{name}'" if kind else f"there is no device '{shown(name)}'"
        raise SettingsError(f"{what}; devices here: {', '.join(known)}")
    return name
