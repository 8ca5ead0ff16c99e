"""From stellar labels to synthetic spectra."""
