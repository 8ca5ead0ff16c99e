"""Opening native files, and one clear line for whatever is wrong with one of them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, TranstarError
from ..spectra import SpectrumBatch
from .base import Survey
from .plain_fits import Hdu, parse_fits

GZIP_MAGIC = b"\x1f\x8b"


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


def read_fits(path: Path) -> list[Hdu]:
    """Read a FITS file, compressed or not.

    Raises
    ------
    InputError
        If the file is empty, truncated or not FITS.
    """
    content = read_bytes(path)
    if not content.startswith(b"SIMPLE  ="):
        kind = "blank (only zero bytes)" if not content.strip(b"\0") else "not a FITS file"
        raise InputError(f"{path}: {kind}; fetch it again, or is --survey right?")
    return parse_fits(content, path)


def text(header: Mapping[str, Any], key: str) -> str:
    """Header value as stripped text; empty if there is none."""
    return str(header.get(key, "")).strip()


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
