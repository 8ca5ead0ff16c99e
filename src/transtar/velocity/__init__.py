"""Radial velocities of spectra that come without one."""

from .measure import MeasuredVelocities, measure_velocities

__all__ = ["MeasuredVelocities", "measure_velocities"]
