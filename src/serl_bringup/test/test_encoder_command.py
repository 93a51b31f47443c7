"""`serl encoder`: what is collected for a backbone that is trained here."""

import numpy as np
import pytest
from rich.console import Console

from serl_bringup.encoder import pretrain_file
from serl_bringup.encoder_data import collect
from serl_bringup.task import load_task
from serl_learner.config import ConfigError

QUIET = Console(quiet=True)


def test_collects_what_both_cameras_see_and_where_the_goal_is_from_the_tool():
    task = load_task("pcb_insertion", observations="vision")
    images, cameras, goals = collect([task], 80, seed=0, console=QUIET)
    assert images.shape == (160, 128, 128, 3) and images.dtype == np.uint8
    assert cameras.tolist() == [0, 1] * 80
    assert goals.shape == (160, 6)
    np.testing.assert_array_equal(goals[::2], goals[1::2])  # both look at the same moment
    begin = goals[0]  # of the first episode, which is demonstrated: straight ahead of the tool
    assert begin[2] == pytest.approx(0.04, abs=0.005)
    assert np.abs(begin[:2]).max() < 0.06
    assert np.linalg.norm(goals[:, :3], axis=1).min() < 0.01  # that episode went there


def test_a_task_without_cameras_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^pcb_insertion: expected observations of cameras"):
        collect([load_task("pcb_insertion", observations="state")], 5, seed=0, console=QUIET)


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_collected(tmp_path):
    (tmp_path / "file").touch()
    task = load_task("pcb_insertion", observations="vision")
    with pytest.raises(FileExistsError):  # the command line makes one line of it
        pretrain_file([task], 10**9, tmp_path / "file" / "a.safetensors", 0, QUIET)
