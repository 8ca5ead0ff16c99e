import subprocess
import sys


def test_without_a_place_to_keep_compiled_code(tmp_path):
    """An installation that cannot be written to, and no home: compiled anew each time, never refused."""
    code = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
import numpy as np
from transtar.preprocess.snr import median_snr
out = np.empty(1)
median_snr(np.ones((1, 8)), np.ones((1, 8)), out)
assert out[0] == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
