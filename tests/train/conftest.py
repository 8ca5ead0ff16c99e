import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    # The networks here are tiny, and tests run beside each other.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
