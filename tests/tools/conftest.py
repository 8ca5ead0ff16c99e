import pytest

from transtar.simulate import load_emulator


@pytest.fixture(scope="session")
def emulator():
    return load_emulator()
