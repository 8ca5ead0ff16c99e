"""How many processors a run takes."""

import os

import pytest

from transtar.processes import usable_cpus, usable_threads


@pytest.mark.parametrize(
    ("variables", "cpus", "threads"),
    [
        ({}, 8, 8), ({"SLURM_CPUS_PER_TASK": "4"}, 4, 4), ({"OMP_NUM_THREADS": "2"}, 8, 2), ({"OMP_NUM_THREADS": "3,1"}, 8, 3),
        ({"SLURM_CPUS_PER_TASK": "4", "OMP_NUM_THREADS": "16"}, 4, 4), ({"OMP_NUM_THREADS": "0"}, 8, 8),
        ({"OMP_NUM_THREADS": "many", "SLURM_CPUS_PER_TASK": ""}, 8, 8), ({"SLURM_CPUS_PER_TASK": "40"}, 8, 8),
    ],
)  # fmt: skip
def test_what_the_system_gives_and_what_is_asked_for(monkeypatch, variables, cpus, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (usable_cpus(), usable_threads()) == (cpus, threads)
