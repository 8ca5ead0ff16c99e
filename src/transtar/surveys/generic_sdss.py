"""What the second HDU of SDSS's `spec` files says of a star (https://data.sdss.org/datamodel/, spec-PLATE-MJD-FIBER)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..grids import SPEED_OF_LIGHT
from .generic_content import Content

SKY, UNPLUGGED = 1 << 0, 1 << 7
"""Bits of ZWARNING: the fibre saw the sky, or nothing."""


def note_sdss(content: Content, hdus: Any) -> None:
    """Note class, subclass, velocity, identifier and place from SPECOBJ (SPALL in BOSS); nothing if there is no such HDU.

    The velocity is c times Z for class STAR without ZWARNING; wavelengths and Z are heliocentric. A spectrum of the sky is
    none of a target.
    """
    table = next((hdu for hdu in hdus if hdu.name in ("SPECOBJ", "SPALL") and hasattr(hdu, "columns")), None)
    if table is None or len(table.data) != 1:
        return
    row = {name.upper(): np.atleast_1d(table.data[name])[0] for name in table.columns.names if name.upper() in _USED}
    if not {"CLASS", "Z", "ZWARNING"} <= set(row):
        return
    place, warning = table.name, int(row["ZWARNING"])
    if warning & (SKY | UNPLUGGED) or str(row.get("SOURCETYPE", row.get("OBJTYPE", ""))).strip().upper() == "SKY":
        content.left_out = "sky"
    # The classification of what the pipeline warns of is not to be relied upon.
    if warning == 0:
        content.say("class", row["CLASS"], place)
        content.say("subclass", row.get("SUBCLASS"), place)
        if str(row["CLASS"]).strip().upper() == "STAR" and not content.said("velocity"):
            content.say("velocity", repr(SPEED_OF_LIGHT * float(row["Z"])), place)
    identifier = str(row.get("SPECOBJID", "")).strip()
    if identifier.isdigit() and not content.said("id"):
        content.say("id", identifier, place)
    for key, names in (("ra", ("PLUG_RA", "RA")), ("dec", ("PLUG_DEC", "DEC"))):
        angle = next((row[name] for name in names if name in row), None)
        if angle is not None:
            content.says[key] = [(repr(float(angle)), place)]


_USED = frozenset((
    "CLASS", "SUBCLASS", "Z", "ZWARNING", "SPECOBJID", "SOURCETYPE", "OBJTYPE", "PLUG_RA", "PLUG_DEC", "RA", "DEC",
))  # fmt: skip
