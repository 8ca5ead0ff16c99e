"""Thousands of damaged and hostile files over every reader of transtar, each judged by a reader that owes it nothing.

`make fuzz`, or ``python -m tests.fuzz --n 2000 --seed 0``: each case takes one small file (`seeds`; where TRANSTAR_DATA
exists, real ones too), changes it (`mutators`), has transtar read it in a process of its own under limits of time and memory
(`workers`), and judges what came of it (`judge`) by what astropy, pyarrow, json or plain csv find in the same file (`oracles`).
A case is decided by the seed and its number: ``--only N`` does it again and says what happened. What is to be expected of
each file, and which outcomes are faults, is written in `judge`.
"""
