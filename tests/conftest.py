import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real spectra and labels, which are not part of the package."""
    folder = Path(os.environ.get("TRANSTAR_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip("no real data: set TRANSTAR_DATA to their folder")
    return folder
