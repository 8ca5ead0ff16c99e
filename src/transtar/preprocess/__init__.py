"""Native pixels to continuum-normalised flux on the wavelength grid."""

from .chain import preprocess, too_fast
from .result import GridSpectra
from .settings import Preprocessing, require_same

__all__ = ["GridSpectra", "Preprocessing", "preprocess", "require_same", "too_fast"]
