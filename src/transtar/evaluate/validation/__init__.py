"""Validation without labels: what repeats, clusters, pairs, other catalogs and theory say of the errors of a catalog."""
