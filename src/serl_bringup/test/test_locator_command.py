"""`serl locator`: from a task to a file that its environment takes."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from serl_actor.environment import make_environment
from serl_bringup import locating
from serl_bringup.task import load_task
from serl_learner.config import ConfigError
from serl_learner.locator_training import LocatorConfig, label
from serl_learner.transition_log import load_transitions

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("locator") / "a.mcap"
    task = load_task("object_relocation/forward", observations="vision")
    locating.collect_file(task, 10, 0, path, "scripted", QUIET)
    return path


def test_labels_are_where_the_cube_lies_in_its_bin(recording):
    data = label([load_transitions(recording)])
    assert data.images.shape[1:] == (2, 128, 128, 3)
    first = np.array([np.argmax(data.episodes == n) for n in range(10)])
    x, y, z = data.places[first].T
    assert np.abs(x - 0.5).max() < 0.07 and (y > -0.15).all() and (y < -0.04).all()
    assert np.ptp(x) > 0.05 and np.ptp(z) < 0.02  # at ten places, on one floor
    there = np.linalg.norm(data.places - data.poses[:, :3], axis=1) < 1e-6
    assert there.sum() == 10  # at the end of each
    # Not only the demonstrator's way: at first the arm wanders.
    begins = [int((data.episodes == n).sum()) for n in range(10)]
    assert max(begins) - min(begins) > 10


def test_a_trained_one_is_taken_by_the_environment(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(locating, "LocatorConfig", lambda: LocatorConfig(steps=2, batch_size=4))
    output = tmp_path / "new" / "a.safetensors"
    locating.train_file([recording], 0, output, QUIET)
    task = load_task("object_relocation/forward", observations="vision")
    environment = make_environment(replace(task.environment, locator=str(output)))
    observation, _ = environment.reset(seed=0)
    environment.close()
    assert environment.observation_space["object_position"].shape == (3,)
    assert np.isfinite(observation["object_position"]).all()


def test_too_few_episodes_are_refused_before_the_training(tmp_path):
    task = load_task("object_relocation/backward", observations="vision")
    locating.collect_file(task, 2, 0, tmp_path / "a.mcap", "scripted", QUIET)
    with pytest.raises(ConfigError, match=r"^episodes: expected at least 10, got 2$"):
        locating.train_file([tmp_path / "a.mcap"], 0, tmp_path / "a.safetensors", QUIET)


def test_a_task_without_its_locator_says_how_to_get_one():
    task = load_task("object_relocation/forward", observations="vision")
    with pytest.raises(ConfigError, match="no such file, expected one that `serl loc"):
        make_environment(replace(task.environment, locator="none.safetensors"))
