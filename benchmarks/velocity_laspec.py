"""Velocities by laspec, for `benchmarks.velocity`: run by a Python that has it, without transtar."""

import sys
import time

import numpy as np

# Names that laspec still uses and numpy has given up.
for name, kind in (("int", int), ("float", float), ("bool", bool)):
    setattr(np, name, kind)

from laspec.ccf import RVM  # noqa: E402


def main(given, answer):
    content = np.load(given)
    wave, grid, templates = content["wave"], content["grid"], content["templates"]
    machine = RVM(np.arange(len(templates))[:, None], grid, templates)
    machine.make_cache(cache_name="B", wave_range=(wave[0] + 20, wave[-1] - 20), rv_grid=(-600, 600, 10))
    velocity = np.empty(len(content["flux"]))
    start = time.process_time()
    for i, flux in enumerate(content["flux"]):
        velocity[i] = machine.measure(wave, flux, rv_grid=(-600, 600, 10), cache_name="B")["rv_opt"]
    np.savez(answer, velocity=velocity, seconds=(time.process_time() - start) / len(velocity))


if __name__ == "__main__":
    main(*sys.argv[1:])
