"""What a network has learnt: saliency, lines, its response to the labels of synthetic spectra, and its loss landscape."""

from .landscape import (
    Landscape,
    Minimum,
    loss_landscape,
    read_landscapes,
    save_landscapes,
    summary_rows,
)

__all__ = ["Landscape", "Minimum", "loss_landscape", "read_landscapes", "save_landscapes", "summary_rows"]
