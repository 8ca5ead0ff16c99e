"""How far labels can be trusted: what tells strange stars, and the errors of each."""

from .conformal import fit_error_table
from .cross_conformal import with_errors, with_validation_errors
from .judge import Verdict, Witnesses, witnesses_for
from .photon_noise import photon_noise
from .star_errors import StarErrors, coverage_of

__all__ = [
    "StarErrors",
    "Verdict",
    "Witnesses",
    "coverage_of",
    "fit_error_table",
    "photon_noise",
    "with_errors",
    "with_validation_errors",
    "witnesses_for",
]
