"""Opening native files, and one clear line for whatever is wrong with one of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..content import read_bytes
from ..errors import InputError, SettingsError, TranstarError, said
from ..fits_behind import BLOCK, truncated
from ..fits_headers import Source, check_sum, heads
from ..spectra import SpectrumBatch
from .base import Survey, get_survey
from .fits_parts import check_compressed
from .header_cards import identifier, number, text
from .unweighted import judge_unweighted

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["identifier", "number", "read", "read_all", "read_bytes", "read_fits", "text"]


def read(survey: Survey | str, path: Path) -> SpectrumBatch:
    """Read one native file whose spectra share their wavelengths.

    Parameters
    ----------
    survey : Survey or str
    path : Path

    Returns
    -------
    SpectrumBatch
        All spectra of the file.

    Raises
    ------
    InputError
        For anything at all that is wrong with the file, in one line; if its spectra differ in wavelengths (`read_all`).
    """
    batches = read_all(survey, path)
    if len(batches) != 1:
        raise InputError(f"{path}: its spectra are on {len(batches)} wavelength arrays; read them with read_all")
    return batches[0]


def read_all(survey: Survey | str, path: Path) -> list[SpectrumBatch]:
    """Read one native file.

    Parameters
    ----------
    survey : Survey or str
    path : Path

    Returns
    -------
    list of SpectrumBatch
        All spectra of the file, one batch for each wavelength array. Of surveys that take the weight of good pixels, those
        are judged by `judge_unweighted`.

    Raises
    ------
    InputError
        For anything at all that is wrong with the file, in one line.
    """
    survey = get_survey(survey)
    # Whatever a reader or the libraries under it raise on a broken file, the user needs the name and a next step.
    try:
        with warnings.catch_warnings():
            # What astropy and numpy warn of is either harmless or ends in an error.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            result = survey.read_file(path)
    except MemoryError as error:
        raise InputError(f"{path}: does not fit into memory; split it") from error
    except SettingsError:
        raise
    except TranstarError as error:
        # A missing package is no fault of the file; what is, begins with its name.
        if not isinstance(error, InputError) or str(error).startswith(str(path)):
            raise
        raise InputError(f"{path}: {error}") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as a {survey.name} spectrum ({said(error)}); fetch it again, or is --survey right?"
        ) from error
    batches = [result] if isinstance(result, SpectrumBatch) else list(result) if isinstance(result, Sequence) else []
    if not batches or not all(isinstance(batch, SpectrumBatch) for batch in batches):
        raise InputError(
            f"{path}: the reader of survey '{survey.name}' gave a {type(result).__name__}; report it there"
        )
    if survey.judge_unweighted:
        batches = [judge_unweighted(batch) for batch in batches]
    return [_with_names(batch) for batch in batches]


def _with_names(batch: SpectrumBatch) -> SpectrumBatch:
    """With file names that can be written down: what is not UTF-8 in them is escaped."""
    names = batch.meta.get("file")
    if names is None or names.dtype.kind != "U" or all(map(str.isascii, names.tolist())):
        return batch
    batch.meta["file"] = np.array([writable(name) for name in names.tolist()], dtype=str)
    return batch


def writable(name: str) -> str:
    """A file name in which bytes that are not UTF-8 are escaped in hexadecimal; others are as they are."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_fits(path: Path) -> fits.HDUList:
    """Read a FITS file, compressed or not (the whole of it, or images by tiles); its data are converted when they are asked for.

    Raises
    ------
    InputError
        If the file is empty, truncated or not FITS, a header says what cannot be, or data differ from their checksum.
    """
    from astropy.io import fits

    path = Path(path)
    content = read_bytes(path)
    source = Source(path, io.BytesIO(content), len(content))
    whole = 0
    for head in heads(source):
        # Every HDU may be the one that holds the spectra.
        head.check()
        end = -(-head.size // BLOCK) * BLOCK
        whole = head.offset + end
        check_sum(head.header, content[head.offset : whole], f"{path}: HDU {head.name or 'without name'}")
        if head.header.get("ZIMAGE") is True:
            check_compressed(path, head)
    try:
        hdus = fits.open(io.BytesIO(content[:whole]), memmap=False)
        if len(hdus) > 1 and hdus[0].data is None and isinstance(hdus[1], fits.CompImageHDU):
            # fpack moves the image of the first HDU into the second.
            hdus = fits.HDUList([fits.PrimaryHDU(hdus[1].data, hdus[1].header), *hdus[2:]])
    except OSError:
        raise truncated(path) from None
    return hdus
