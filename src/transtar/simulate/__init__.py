"""A mock universe: stars, their spectra, and the instruments that observe them."""

from .emulator import Emulator
from .emulator_range import LABEL_NAMES, GridRange, vmic_relation
from .emulator_storage import load_emulator, save_emulator

__all__ = ["LABEL_NAMES", "Emulator", "GridRange", "load_emulator", "save_emulator", "vmic_relation"]
