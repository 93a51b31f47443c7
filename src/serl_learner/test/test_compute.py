"""Process-wide settings last as long as the training."""

import pytest
import torch

from serl_learner.compute import find_device, tuned_process
from serl_learner.config import ConfigError


def test_settings_are_put_back():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with tuned_process(threads=2):
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (2, "medium")
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


def test_the_device_is_a_gpu_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"learner.device: expected auto or cpu.* got cuda"):
        find_device("cuda")
    with pytest.raises(ConfigError, match=r"learner.device: expected one of auto, cpu, cuda, got"):
        find_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == find_device("cuda") == torch.device("cuda")
    assert find_device("cpu") == torch.device("cpu")
