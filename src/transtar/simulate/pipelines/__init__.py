"""Simulated pipelines: how the labels of each survey's catalog err. They say how a catalog errs, not how a code works."""
