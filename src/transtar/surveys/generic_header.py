"""What headers of FITS, metadata of parquet and of ECSV, and the like say of a spectrum, under the names in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import InputError, shown
from ..spectra import FRAMES
from ..telling import tell
from .generic_content import Content
from .wave_units import is_wave_unit

_MEDIA = {"air": "air", "vacuum": "vacuum", "vac": "vacuum"}
_CLASSES = ("STAR", "GALAXY", "QSO")
_NO_STARS = frozenset(
    ("object", "star", "science", "sci", "target", "sky", "spectrum", "test", "none", "unknown", "n/a")
)
"""What telescopes write into OBJECT when nobody gave a name; all of them would be visits of one star."""
_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")
_MOVING = {"HELIOCEN": "observed", "BARYCENT": "observed", "SOURCE": "rest"}
_OF_EARTH = ("TOPOCENT", "GEOCENTR")


def note(content: Content, header: Mapping[str, Any], place: str, foreign: bool = False) -> None:
    """Note what a header says of medium, frame, unit and star, by the keys in `KEYS`.

    Velocities under other names (RV, VHELIO, HELIO_RV) say nothing: nobody knows whether they are the star's or the Earth's.

    Parameters
    ----------
    content : Content
        Is told.
    header : mapping of str to object
        Keys in any case.
    place : str
        For messages.
    foreign : bool
        Whether the keys are as anybody has them (FITS), so that MEDIUM, FRAME and UNIT may mean something else.

    Raises
    ------
    InputError
        If the wavelengths are in a frame that is neither that of the star nor of the Sun.
    """
    text = {str(key).strip().lower(): "" if value is None else str(value).strip() for key, value in header.items()}
    for key in ("medium", "airorvac"):
        value = text.get(key, "").lower()
        content.say("medium", _MEDIA.get(value, "" if foreign else value), f"{key.upper()} of {place}")
    vacuum = text.get("vacuum", "").lower()
    if vacuum in (*_TRUE, *_FALSE):
        content.say("medium", "vacuum" if vacuum in _TRUE else "air", f"VACUUM of {place}")
    if text.get("frame", "").lower() in FRAMES or not foreign:
        content.say("frame", text.get("frame", "").lower(), f"FRAME of {place}")
    _note_system(content, text.get("specsys", "").upper(), place)
    if is_wave_unit(text.get("unit", "")) or not foreign:
        content.say("unit", text.get("unit", ""), f"UNIT of {place}")
    # CLASS may be of something else than the spectrum.
    classed = not foreign or text.get("class", "").upper() in _CLASSES
    for key in ("id", "velocity", "native_medium", *(("class", "subclass") if classed else ())):
        content.say(key, text.get(key), f"{key.upper()} of {place}")
    if not content.said("star"):
        target = text.get("object", "")
        content.say("star", text.get("star") or (target if target.lower() not in _NO_STARS else ""), place)
    for key in ("ra", "dec"):
        # Hours, minutes and seconds are left to the tables that stars are joined with.
        if re.fullmatch(r"[+-]?\d+(\.\d*)?", text.get(key, "")) and not content.said(key):
            content.say(key, text[key], place)


KEYS = (
    "medium", "airorvac", "vacuum", "frame", "specsys", "unit", "id", "class", "subclass", "velocity", "native_medium", "star",
    "object", "ra", "dec",
)  # fmt: skip
"""What is looked for, in lower case."""


def _note_system(content: Content, system: str, place: str) -> None:
    if not system:
        return
    if system in _OF_EARTH:
        content.say("frame", "observed", f"SPECSYS of {place}")
        tell(
            f"SPECSYS {system}: wavelengths that are not corrected for the motion of the Earth; velocities must be those "
            "measured in the spectra, not heliocentric ones"
        )
        return
    if system not in _MOVING:
        raise InputError(
            f"{content.where}: wavelengths in the frame '{shown(system, 20)}' (SPECSYS of {place}); shift them to the "
            "barycenter or to the star's rest frame"
        )
    content.say("frame", _MOVING[system], f"SPECSYS of {place}")
