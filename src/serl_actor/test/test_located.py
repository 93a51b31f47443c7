"""What a locator sees becomes a measured position, in the tool's frame if the policy's is."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.located import BasePose, Located
from serl_actor.relative_frame import RelativeFrame
from serl_learner.config import ConfigError
from serl_learner.locator import Locator, save_locator
from serl_learner.transition import ObservationSpec

HALF = np.sqrt(0.5)
POSE = np.array([0.5, 0.1, 0.2, 0.0, 0.0, HALF, HALF], np.float32)  # a quarter turn about z
PLACE = np.array([0.5, 0.3, 0.05])  # 20 cm along the base's y: along the tool's x


class Still(gym.Env):
    """A tool that does not move, and a camera."""

    action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
    observation_space = spaces.Dict(
        {
            "pose": spaces.Box(-np.inf, np.inf, (7,), np.float32),
            "wrist": spaces.Box(0, 255, (32, 32, 3), np.uint8),
        }
    )

    def reset(self, *, seed=None, options=None):
        return self._observation(), {}

    def step(self, action):
        return self._observation(), 0.0, False, False, {}

    def _observation(self):
        return {"pose": POSE, "wrist": np.full((32, 32, 3), 7, np.uint8)}


def file_of(tmp_path, name: str, size: int = 32) -> str:
    """A locator of one camera, for which everything is at PLACE."""
    locator = Locator(ObservationSpec((), ((name, (size, size, 3)),)))
    for parameter in locator.head[-1].parameters():
        parameter.data.zero_()
    locator.fit(POSE[None].repeat(2, 0), PLACE[None].repeat(2, 0))
    save_locator(locator, {}, tmp_path / "a.safetensors")
    return str(tmp_path / "a.safetensors")


def test_it_adds_the_position_in_the_base_frame(tmp_path):
    environment = Located(Still(), file_of(tmp_path, "wrist"))
    observation, _ = environment.reset()
    assert environment.observation_space.contains(observation)
    np.testing.assert_allclose(observation["object_position"], PLACE, atol=1e-6)
    observation, *_ = environment.step(np.zeros(7))
    assert observation["object_position"].shape == (3,)


def test_relative_to_the_tool_it_is_in_its_axes(tmp_path):
    environment = RelativeFrame(Located(Still(), file_of(tmp_path, "wrist")))
    observation, _ = environment.reset()
    assert environment.observation_space.contains(observation)
    np.testing.assert_allclose(observation["object_position"], [0.2, 0.0, -0.15], atol=1e-6)


@pytest.mark.parametrize(("name", "size"), [("side", 32), ("wrist", 64)])
def test_one_for_other_cameras_is_refused_in_one_line(tmp_path, name, size):
    with pytest.raises(ConfigError, match=rf"expected an observation '{name}' of shape \({size}"):
        Located(Still(), file_of(tmp_path, name, size))


def test_the_base_pose_stays_where_the_pose_becomes_relative():
    environment = RelativeFrame(BasePose(Still()))
    observation, _ = environment.reset()
    assert environment.observation_space.contains(observation)
    np.testing.assert_array_equal(observation["base_pose"], POSE)
    np.testing.assert_allclose(observation["pose"], np.zeros(6), atol=1e-6)


def test_what_has_no_tool_has_no_base_pose():
    environment = make_environment(EnvironmentConfig("Pendulum-v1"), base_pose=True)
    observation, _ = environment.reset(seed=0)
    environment.close()
    assert "base_pose" not in observation
