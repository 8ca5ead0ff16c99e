"""Stars of the Galaxy and what is true of them: labels, places, motions, magnitudes and the dust before them."""
