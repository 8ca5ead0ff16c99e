"""Instruments of LAMOST, DESI, MILES and Gaia XP, and how they observe synthetic spectra."""
