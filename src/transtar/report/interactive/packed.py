"""Arrays as text that a page decodes: compressed, and spectra no finer than a plot shows."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

MISSING = -(2**15)
"""Of int16: no value."""

MOST = 2**15 - 2

FLUX_STEP, ERROR_STEP = 0.002, 0.02
"""In which spectra are given: of the continuum, and of the logarithm (base 10) of errors."""

GRADIENT_LEVELS = 40
"""Steps from zero to the greatest gradient of a star: half the height of its plot is 50 pixels or so."""


def packed(values: np.ndarray) -> str:
    """Bytes of an array (float32, int32, ...) in little-endian order, compressed, as base64."""
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 9)).decode("ascii")


def packed_json(content: Any) -> str:
    """Texts, as JSON, compressed, as base64: nothing in them can be taken for a part of the page."""
    return packed_text(json.dumps(content, allow_nan=False))


def packed_text(text: str) -> str:
    """A text in UTF-8, compressed, as base64."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


@dataclass(frozen=True, eq=False)
class Channel:
    """One kind of curve of all stars.

    Parameters
    ----------
    name : str
    values : ndarray, shape (n_stars, n_pixels), float32
    steps : ndarray, shape (n_stars,), float64
        In which the curve of each star is given.
    from_last : bool
        Whether pixels are given by their difference from the last, which is smaller where a curve is smooth.
    """

    name: str
    values: np.ndarray
    steps: np.ndarray
    from_last: bool


def fixed(name: str, values: np.ndarray, step: float, from_last: bool) -> Channel:
    """A channel in steps of `step`, or coarser where a curve does not fit otherwise."""
    most = np.nanmax(np.abs(values), axis=1, initial=0, where=np.isfinite(values))
    return Channel(name, values, np.maximum(step, most / MOST), from_last)


def relative(name: str, values: np.ndarray, levels: int) -> Channel:
    """A channel in so many steps up to the greatest value of each star."""
    most = np.nanmax(np.abs(values), axis=1, initial=0, where=np.isfinite(values))
    return Channel(name, values, np.where(most > 0, most / levels, 1.0), True)


def pack_stars(channels: list[Channel]) -> list[str]:
    """All channels of each star as one compressed text, as base64; `page.js` has the way back."""
    coded = np.stack([_coded(channel) for channel in channels], axis=1)
    # Low bytes and high bytes apart: the latter are nearly all zero.
    low, high = (coded & 255).astype(np.uint8), (coded >> 8).astype(np.uint8)
    return [
        base64.b64encode(zlib.compress(one.tobytes() + other.tobytes(), 9)).decode("ascii")
        for one, other in zip(low, high, strict=True)
    ]


def _coded(channel: Channel) -> np.ndarray:
    """Steps as uint16, shape (n_stars, n_pixels), small numbers for small steps of either sign."""
    steps = np.asarray(channel.values, np.float64) / channel.steps[:, None]
    whole = np.where(np.isfinite(steps), np.round(steps), MISSING).astype(np.int16)
    if channel.from_last:
        # In 16 bits, in which the sum of the differences comes out right whatever they are.
        whole = np.diff(whole, axis=1, prepend=np.int16(0))
    return ((whole << 1) ^ (whole >> 15)).view(np.uint16)
