"""What a network has learnt: its loss landscape."""

from .landscape import (
    Landscape,
    Minimum,
    loss_landscape,
    read_landscapes,
    save_landscapes,
    summary_rows,
)

__all__ = ["Landscape", "Minimum", "loss_landscape", "read_landscapes", "save_landscapes", "summary_rows"]
