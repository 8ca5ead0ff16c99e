"""Learn the line correction that ships with transtar from LAMOST DR10 spectra and their LASP labels.

    transtar prepare --survey lamost --spectra SPECTRA --labels LABELS --out SET
    python -m tools.fit_lines --set SET --out src/transtar/simulate/data/lines/lamost-dr10.npz

No star of the MILES library may be among them: it is there to judge.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from transtar.datasets import read_set
from transtar.files import check_files
from transtar.simulate.mocks.line_fit import lines_from_set


def main(arguments: list[str] | None = None) -> None:
    """Learn and write a correction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, required=True, dest="prepared", help="prepared set with teff, logg, feh")
    parser.add_argument("--out", type=Path, required=True, help="file to write, NAME.npz")
    given = parser.parse_args(arguments)
    check_files([given.out], [given.prepared])
    prepared = read_set(given.prepared)
    lines = lines_from_set(prepared, np.arange(len(prepared)), given.out.stem)
    print(f"{lines.save(given.out)}: learnt on {lines.info['stars']} stars of {prepared.survey}")


if __name__ == "__main__":
    main()
