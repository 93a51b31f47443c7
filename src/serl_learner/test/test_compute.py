"""Process-wide settings last as long as the training."""

import torch

from serl_learner.compute import tuned_process


def test_settings_are_put_back():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with tuned_process(threads=2):
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (2, "medium")
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before
