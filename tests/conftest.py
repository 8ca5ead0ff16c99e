import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from transtar.trust import Verdict, Witnesses

from .forking import forked_transtar


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real spectra and labels, which are not part of the package."""
    folder = Path(os.environ.get("TRANSTAR_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip("no real data: set TRANSTAR_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def served(tmp_path_factory) -> Path:
    """A folder whose `transtar`, put first on PATH, imports nothing anew; for pages of many commands."""
    with forked_transtar(tmp_path_factory.mktemp("served") / "bin") as folder:
        yield folder


@pytest.fixture(autouse=True)
def no_imported_models(monkeypatch, tmp_path_factory):
    """Models that a user has imported are not the tests' business."""
    monkeypatch.setenv("TRANSTAR_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))


def pytest_configure(config):
    # A run started in the background of a script ignores SIGINT, and so would every process that the tests interrupt: a
    # handler here makes children start with the default again.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def unquestioned(monkeypatch):
    """Spectra that tests make up are of no star: here the gate and the second opinion are silent about them."""
    monkeypatch.setattr("transtar.catalog.predict.witnesses_for", lambda *_: Silent(None, None))


class Silent(Witnesses):
    """Witnesses that say nothing."""

    def judge(self, flux, ivar, labels, quality=None) -> Verdict:
        nothing = np.full(len(flux), np.nan, np.float32)
        return Verdict(np.zeros(len(flux), np.int32), np.zeros(len(flux), bool), nothing, nothing)
