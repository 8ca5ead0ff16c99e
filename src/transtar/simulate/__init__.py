"""A mock universe: stars, their spectra, and the instruments that observe them."""

from .emulator.emulator import Emulator
from .emulator.emulator_storage import load_emulator, save_emulator
from .emulator.grid_range import LABEL_NAMES, GridRange, vmic_relation

__all__ = ["LABEL_NAMES", "Emulator", "GridRange", "load_emulator", "save_emulator", "vmic_relation"]
