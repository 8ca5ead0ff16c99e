"""What a network has learnt: saliency, lines, and its response to the labels of synthetic spectra."""
