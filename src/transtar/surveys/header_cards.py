"""Values of header cards as files have them, not only as FITS allows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..tables.ids import NO_ID, to_int64


def text(header: Mapping[str, Any], key: str) -> str:
    """Header value as stripped text; empty if there is none."""
    value = _card(header, key)
    return "" if value is None else str(value).strip()


def number(header: Mapping[str, Any], *keys: str) -> float:
    """First finite header value among `keys`; NaN if there is none or it is the sentinel -9999.

    Raises
    ------
    InputError
        If a card holds something else than a number, such as one with a decimal comma.
    """
    for key in keys:
        value = _card(header, key)
        if value is None or (isinstance(value, str) and value.strip().lower() in ("", "null", "none")):
            continue
        try:
            value = float(value)
        except (TypeError, ValueError):
            raise InputError(f"header card {key} = {shown(value)} is no number; mend the file") from None
        if np.isfinite(value) and value > -9999:
            return value
    return float("nan")


def _card(header: Mapping[str, Any], key: str) -> Any:
    """Value of a card; text where it is none that FITS allows, such as NaN without quotes."""
    if key not in header:
        return None
    try:
        value = header[key]
    except Exception as error:
        # The cards are parsed one by one, when they are asked for.
        try:
            image = header.cards[key].image  # type: ignore[attr-defined]
        except Exception:
            raise InputError(f"header card {key} cannot be read ({shown(error)}); mend the file") from None
        value = image.partition("=")[2].partition("/")[0].strip(" '")
    return None if type(value).__name__ == "Undefined" else value


def identifier(header: Mapping[str, Any], key: str) -> int:
    """Identifier in a header; `NO_ID` if there is none.

    Raises
    ------
    InputError
        If it is no whole number.
    """
    value = _card(header, key)
    if value is None or value == "":
        return NO_ID
    if isinstance(value, bool):
        raise InputError(f"header card {key} = {value} is no identifier; mend the file")
    return int(to_int64(np.array([value]), f"header card {key}")[0])
