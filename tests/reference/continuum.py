"""The envelope continuum of one spectrum, written plainly: the yardstick for the batched one, in value and in time."""

import numpy as np
from scipy.ndimage import median_filter

BALMER = ((4030.0, 4160.0), (4270.0, 4410.0), (4800.0, 4940.0))


def envelope(wave, flux, width, window=(3900.0, 5700.0), degree=5, passes=10):
    """Steps 1, 2, 4, 5 and 8 of the public algorithm on one spectrum without bad pixels.

    Returns the wavelengths of the window and the continuum there.
    """
    filtered = median_filter(np.asarray(flux, dtype=np.float64), width)
    inside = (wave >= window[0]) & (wave <= window[1])
    x, y = wave[inside], filtered[inside]
    if peaks_blue(x, y, degree):
        for low, high in BALMER:
            near_low, near_high = np.abs(x - low) <= 10, np.abs(x - high) <= 10
            i, j = np.flatnonzero(near_low)[np.argmax(y[near_low])], np.flatnonzero(near_high)[np.argmax(y[near_high])]
            (x1, y1), (x2, y2) = (x[i], y[i]), (x[j], y[j])
            between = (x >= low) & (x <= high)
            y = np.where(between, y1 + (y2 - y1) / (x2 - x1) * (x - x1), y)
    for _ in range(passes):
        y = np.maximum(np.polyval(np.polyfit(x, y, degree), x), y)
    return x, np.polyval(np.polyfit(x, y, degree), x)


def peaks_blue(x, y, degree=5):
    """Whether the first fit marks a hot star, whose Balmer lines are bridged."""
    return x[np.argmax(np.polyval(np.polyfit(x, y, degree), x))] < 4500.0
