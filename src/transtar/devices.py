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


def check_device(name) -> str:
    """Refuse a device that this machine has not.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        The name.

    Raises
    ------
    SettingsError
        Which lists those that there are.
    """
    # The CPU is always there, and finding out about others is slow.
    if name == "cpu":
        return name
    known = known_devices()
    if not isinstance(name, str) or name not in known:
        kind = isinstance(name, str) and re.fullmatch(r"(cuda|mps|xpu)(:[0-9]{1,3})?", name)
        what = f"this machine has no device '{name}'" if kind else f"there is no device '{shown(name)}'"
        raise SettingsError(f"{what}; devices here: {', '.join(known)}")
    return name
