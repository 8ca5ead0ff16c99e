"""Opening native files, and one clear line for whatever is wrong with one of them."""

from __future__ import annotations

import gzip
import io
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, TranstarError
from ..spectra import SpectrumBatch
from .base import Survey

if TYPE_CHECKING:
    from astropy.io import fits

GZIP_MAGIC = b"\x1f\x8b"

BLOCK = 2880
"""Bytes of a FITS block."""


def read(survey: Survey, path: Path) -> SpectrumBatch:
    """Read one native file.

    Parameters
    ----------
    survey : Survey
    path : Path

    Returns
    -------
    SpectrumBatch
        All spectra of the file.

    Raises
    ------
    InputError
        For anything at all that is wrong with the file, in one line.
    """
    # Whatever a reader or the libraries under it raise on a broken file, the user needs the name and a next step.
    try:
        with warnings.catch_warnings():
            # What astropy warns of is either harmless or ends in an error.
            warnings.simplefilter("ignore", UserWarning)
            batch = survey.read_file(path)
    except (TranstarError, MemoryError):
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            f"{path}: cannot be read as a {survey.name} spectrum ({what}); fetch it again, or is --survey right?"
        ) from error
    if not isinstance(batch, SpectrumBatch):
        raise InputError(f"{path}: the reader of survey '{survey.name}' gave a {type(batch).__name__}; report it there")
    return batch


def read_bytes(path: Path) -> bytes:
    """Whole content of a file, decompressed if it is gzip (told by content, not by name).

    Raises
    ------
    InputError
        If the file is empty, or its gzip stream is cut short or damaged.
    """
    content = Path(path).read_bytes()
    if not content:
        raise InputError(f"{path}: empty file; fetch it again")
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except EOFError:
            raise InputError(f"{path}: truncated gzip file; fetch it again") from None
        except (OSError, zlib.error) as error:
            raise InputError(f"{path}: damaged gzip file ({error}); fetch it again") from None
        if not content:
            raise InputError(f"{path}: empty gzip file; fetch it again")
    return content


def read_fits(path: Path) -> fits.HDUList:
    """Read a FITS file, compressed or not; its data are converted when they are asked for.

    Raises
    ------
    InputError
        If the file is empty, truncated or not FITS.
    """
    from astropy.io import fits

    content = read_bytes(path)
    if not content.startswith(b"SIMPLE  ="):
        kind = "blank (only zero bytes)" if not content.strip(b"\0") else "not a FITS file"
        raise InputError(f"{path}: {kind}; fetch it again, or is --survey right?")
    try:
        hdus = fits.open(io.BytesIO(content), memmap=False)
        size = _expected_size(hdus, content)
    except OSError:
        raise InputError(f"{path}: truncated or damaged FITS file; fetch it again") from None
    if size > len(content):
        raise InputError(f"{path}: truncated FITS file ({len(content)} bytes of {size}); fetch it again")
    return hdus


def _expected_size(hdus: fits.HDUList, content: bytes) -> int:
    """Bytes that the file has if it is complete; its last block need not be filled up."""
    last = hdus[len(hdus) - 1]
    place = last.fileinfo()
    following = content[place["datLoc"] + place["datSpan"] :][:8]
    # astropy passes over a header that is cut short.
    if following and b"XTENSION".startswith(following):
        return len(content) + BLOCK
    return place["datLoc"] + last.size


def text(header: Mapping[str, Any], key: str) -> str:
    """Header value as stripped text; empty if there is none."""
    value = header.get(key)
    return "" if value is None else str(value).strip()


def number(header: Mapping[str, Any], *keys: str) -> float:
    """First finite header value among `keys`; NaN if there is none or it is the sentinel -9999."""
    for key in keys:
        try:
            value = float(header[key])
        except (KeyError, TypeError, ValueError):
            continue
        if np.isfinite(value) and value > -9999:
            return value
    return float("nan")
