"""Catalogs that cannot be written to the end: a real file-size limit, and an interruption."""

import subprocess
import sys

import numpy as np
import pytest

from transtar.catalog import CatalogWriter, write_catalog
from transtar.files import LIST

SCRIPT = """
import resource, sys
import numpy as np
from transtar.catalog import CatalogWriter
from transtar.errors import TranstarError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rng = np.random.default_rng(0)
try:
    with CatalogWriter(sys.argv[1]) as writer:
        for _ in range(int(sys.argv[2])):
            writer.append({"id": rng.integers(0, 2**62, 20_000), "ra": rng.random(20_000)})
except TranstarError as error:
    print(error)
    sys.exit(1)
"""


@pytest.mark.parametrize("batches", [1, 10])
@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
def test_no_space_leaves_the_old_catalog_and_nothing_else(tmp_path, suffix, batches):
    path = tmp_path / f"catalog.{suffix}"
    write_catalog(path, {"id": np.arange(3), "ra": np.zeros(3)})
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(batches)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert "not written" in done.stdout
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [tmp_path / LIST, path]


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_nothing(tmp_path, suffix, error):
    def interrupted():
        with CatalogWriter(tmp_path / f"c.{suffix}") as writer:
            writer.append({"id": np.arange(3)})
            raise error

    with pytest.raises(error):
        interrupted()
    assert not list(tmp_path.iterdir())
