"""`serl locator`: from a task to a file that its environment takes."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from serl_actor.environment import make_environment
from serl_bringup import locating
from serl_bringup.episodes import read_episodes
from serl_bringup.task import load_task
from serl_learner.config import ConfigError
from serl_learner.locator import Locator
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


def test_before_each_demonstration_the_arm_wanders(recording):
    episodes = list(read_episodes(recording))
    wandered = [sum(not t.intervened for t in episode) for episode in episodes]
    assert len(episodes) == 10 and len(set(wandered)) > 5 and 30 < max(wandered) <= locating.WANDER
    assert all(episode[-1].success for episode in episodes)


def test_the_same_recording_demonstrates_to_a_policy(recording, tmp_path):
    """One that sees the object's position, from the tool."""
    spec = label([load_transitions(recording)]).spec
    locator = Locator(spec)
    locator.fit(np.tile([0.5, 0, 0.2, 1, 0, 0, 0], (2, 1)), np.tile([0.5, -0.1, 0.02], (2, 1)))
    for parameter in locator.head[-1].parameters():
        parameter.data.zero_()  # for it, the object is always there
    locating.located_file(recording, locator, tmp_path / "a.mcap")
    recorded = list(read_episodes(recording))
    shown = list(read_episodes(tmp_path / "a.mcap"))
    assert len(shown) == 10
    for before, after in zip(recorded, shown, strict=True):
        wandered = sum(not t.intervened for t in before)
        assert len(after) == len(before) - wandered
        assert [t.step for t in after] == list(range(len(after)))
        first, same = after[0], before[wandered]
        np.testing.assert_array_equal(first.action, same.action)
        np.testing.assert_array_equal(first.observation["pose"], same.observation["pose"])
        pose = same.observation["base_pose"].astype(float)
        offset = Rotation.from_quat(pose[3:]).inv().apply([0.5, -0.1, 0.02] - pose[:3])
        np.testing.assert_allclose(first.observation["object_position"], offset, atol=1e-5)
        assert "base_pose" not in first.observation
        assert "object_position" in after[-1].final_observation
    assert locating.is_to_be_located(recording)
    assert not locating.is_to_be_located(tmp_path / "a.mcap")


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
    with pytest.raises(
        ConfigError, match="No such file or directory: expected a file that `serl locator`"
    ):
        make_environment(replace(task.environment, locator="none.safetensors"))
