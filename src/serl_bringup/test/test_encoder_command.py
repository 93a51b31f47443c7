"""`serl encoder`: what is collected for a backbone that is trained here."""

import numpy as np
import pytest
from rich.console import Console

from serl_bringup.encoder import pretrain_file
from serl_bringup.encoder_data import collect, held_places
from serl_bringup.task import load_task, load_tasks
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


def test_where_the_cube_is_is_known_by_hindsight_from_both_agents():
    tasks = list(load_tasks("object_relocation", observations="vision").values())
    images, cameras, labels = collect(tasks, 160, seed=0, console=QUIET)
    assert images.shape == (320, 128, 128, 3) and cameras.tolist() == [0, 1] * 160
    goals, cubes = labels[::2, :6], labels[::2, 6:]
    assert np.isfinite(goals).all()
    forward, backward = cubes[:80], cubes[80:]
    for demonstrated in (forward, backward):
        before = demonstrated[0]  # from the reset, above the ridge: in the bin, below the tool
        assert before[2] == pytest.approx(0.1, abs=0.03)
        assert np.hypot(*before[:2]) > 0.04
        in_hand = np.linalg.norm(demonstrated, axis=1) < 1e-5
        assert in_hand.sum() > 10
    # Between both bins the tool sees them on either side; the tool's x is the base's y here.
    assert np.sign(forward[0, 0]) == -np.sign(backward[0, 0])


def test_what_is_held_and_where_it_was_before():
    poses = [np.full(7, t, float) for t in range(15)]
    openings = [1.0, 0.7, 0.5, 0.5, 0.5, 0.5, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0, 0.6, 0.6, 1.0]
    places = held_places(poses, openings)[:, 0]
    # The last time, the fingers turn round on their way.
    held = [3, 3, 3, 3, 4, 5, 8, 8, 8, 9, 10]
    np.testing.assert_array_equal(places, [*held, *[np.nan] * 4])


@pytest.mark.parametrize("openings", [[], [0.5] * 4, [1.0, 0.6, 0.0, 0.0]])
def test_nothing_is_held_without_a_gripper_nor_by_one_that_never_opens_nor_by_one_that_shuts(
    openings,
):
    assert np.isnan(held_places([np.zeros(7)] * 4, openings)).all()


def test_a_task_without_cameras_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^pcb_insertion: expected observations of cameras"):
        collect([load_task("pcb_insertion", observations="state")], 5, seed=0, console=QUIET)


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_collected(tmp_path):
    (tmp_path / "file").touch()
    task = load_task("pcb_insertion", observations="vision")
    with pytest.raises(FileExistsError):  # the command line makes one line of it
        pretrain_file([task], 10**9, tmp_path / "file" / "a.safetensors", 0, QUIET)
