from dataclasses import replace

import pytest
import torch

from transtar.networks import LoRASettings, add_lora, merge_lora
from transtar.networks.lora import lora_factors
from transtar.preprocess import Preprocessing

from .examples import small_estimator


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    # The networks here are tiny, and tests run beside each other.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path):
    small_estimator(preprocessing=Preprocessing(frame="observed")).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def adapted(tmp_path):
    model = small_estimator(preprocessing=Preprocessing())
    wrapped = add_lora(model.network, LoRASettings(2, 4))
    replace(model, network=merge_lora(wrapped), adapter=lora_factors(wrapped)).save(tmp_path / "adapted")
    return tmp_path / "adapted"
