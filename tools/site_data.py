"""The mock universe that tutorials and gallery of the site are run on, simulated once and shared by all.

``python -m tools.site_data build/site-data`` makes it, in a minute; where it is complete, the command has nothing to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

COMMAND = (
    "transtar simulate --scale small --set lamost=150 common=120 edr=80 miles=60 cluster_members=5 wide_pairs=20 "
    "--out universe --seed 0"
)
"""As the first tutorial shows it."""


def make(folder: Path) -> Path:
    """Simulate the universe, unless it is there.

    Parameters
    ----------
    folder : Path
        Gets a folder `universe`; tutorials write beside it.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    subprocess.CalledProcessError
        If the simulation fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = COMMAND.split()[1:]
    subprocess.run([sys.executable, "-m", "transtar", *arguments], cwd=folder, env=dict(os.environ), check=True)
    return folder


def enter(name: str) -> Path:
    """Go to an empty folder with a link to the universe, where a tutorial begins.

    Parameters
    ----------
    name : str
        Of the tutorial. What an earlier build of it left is removed.

    Returns
    -------
    Path
        The folder, now the working directory.
    """
    site = Path(os.environ["TRANSTAR_SITE"])
    folder = site / "tutorials" / name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / "universe").symlink_to(site / "universe", target_is_directory=True)
    os.chdir(folder)
    _set_up_shell(folder)
    return folder


def _set_up_shell(folder: Path) -> None:
    """Sharp figures, and cells of %%bash that print all at the end: IPython's own cuts lines in pieces, shown apart."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    shell = get_ipython()
    if shell is None:
        return

    def bash(line: str, cell: str) -> None:
        done = subprocess.run(
            ["bash", "-ec", cell], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        # Readers have no use for the place of this checkout.
        print(done.stdout.replace(f"{folder}/", ""), end="")
        if done.returncode:
            raise RuntimeError(f"exit status {done.returncode}: {cell.strip()}")

    shell.register_magic_function(bash, "cell", "bash")
    set_matplotlib_formats("retina")


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
