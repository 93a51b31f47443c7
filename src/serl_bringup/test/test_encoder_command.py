"""`serl encoder`: what is collected for a backbone that is trained here."""

import numpy as np
import pytest
from rich.console import Console

from serl_bringup.encoder import collect
from serl_bringup.task import load_task
from serl_learner.config import ConfigError

QUIET = Console(quiet=True)


def test_collects_what_both_cameras_see_and_where_the_tool_is():
    task = load_task("pcb_insertion", observations="vision")
    images, cameras, poses = collect(task, 30, seed=0, console=QUIET)
    assert images.shape == (60, 128, 128, 3) and images.dtype == np.uint8
    assert cameras.tolist() == [0, 1] * 30
    assert poses.shape == (60, 7)
    np.testing.assert_array_equal(poses[::2], poses[1::2])  # both look at the same moment
    np.testing.assert_allclose(np.linalg.norm(poses[:, 3:], axis=1), 1.0, atol=1e-5)
    height = poses[0, 2] - 0.0306  # the base frame, whatever the task makes relative
    assert height == pytest.approx(0.04, abs=0.005)


def test_a_task_without_cameras_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^pcb_insertion: expected observations of cameras"):
        collect(load_task("pcb_insertion", observations="state"), 5, seed=0, console=QUIET)
