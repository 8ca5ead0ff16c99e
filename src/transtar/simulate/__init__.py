"""A mock universe: stars, their spectra, and the instruments that observe them."""
