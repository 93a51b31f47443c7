"""The price of the gripper: for each change of its command, and for nothing else."""

import gymnasium as gym
import numpy as np
import pytest
from tool_env import ToolEnv

from serl_actor.environment import EnvironmentConfig, make_environment
from serl_learner.config import ConfigError

TOOL = "tool_env:test/Tool-v0"


def penalties(commands, opening, relative_frame=False):
    """What each command costs after a reset at that opening, which the fingers then keep."""
    config = EnvironmentConfig(
        TOOL, relative_frame, gripper_penalty=0.1, arguments={"action_size": 7}
    )
    environment = make_environment(config)
    environment.unwrapped.broken["gripper"] = np.array([opening], np.float32)
    environment.reset(seed=0)
    infos = [environment.step(np.r_[np.zeros(6), command])[4] for command in commands]
    return [info["grasp_penalty"] for info in infos]


@pytest.mark.parametrize("relative_frame", [False, True])
def test_a_change_of_the_command_costs(relative_frame):
    # Closes, goes on closing though the fingers stay open, stays, opens, goes on, closes again.
    commands = [-0.5, -1.0, 0.0, 0.49, 0.5, 1.0, 0.0, -0.51]
    expected = [-0.1, 0.0, 0.0, 0.0, -0.1, 0.0, 0.0, -0.1]
    assert penalties(commands, 1.0, relative_frame) == pytest.approx(expected)


def test_at_a_reset_the_opening_stands_for_the_last_command():
    assert penalties([1.0, -1.0], opening=0.9) == pytest.approx([0.0, -0.1])
    assert penalties([-1.0, 1.0], opening=0.5) == pytest.approx([0.0, -0.1])  # something is held


def test_each_reset_begins_anew():
    config = EnvironmentConfig(TOOL, gripper_penalty=0.1, arguments={"action_size": 7})
    environment = make_environment(config)
    environment.unwrapped.broken["gripper"] = np.ones(1, np.float32)
    for _ in range(2):
        environment.reset(seed=0)
        info = environment.step(np.r_[np.zeros(6), -1.0])[4]
        assert info["grasp_penalty"] == pytest.approx(-0.1)


def test_it_is_never_part_of_the_reward():
    config = EnvironmentConfig(TOOL, gripper_penalty=0.1, arguments={"action_size": 7})
    environment = make_environment(config)
    environment.reset(seed=0)
    _, reward, _, _, info = environment.step(np.r_[np.zeros(6), 1.0])
    assert (reward, info["success"]) == (0.0, False)


class Blind(ToolEnv):
    """Does not see its gripper."""

    def __init__(self):
        super().__init__(action_size=7)
        del self.observation_space.spaces["gripper"]


gym.register("test/Blind-v0", Blind, max_episode_steps=10)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (TOOL, r"^gripper_penalty: action: expected 7 elements, got shape \(6,\)$"),
        ("test/Blind-v0", "^gripper_penalty: expected an observation 'gripper', got pose, "),
    ],
)
def test_a_tool_without_a_gripper_has_no_price(environment, message):
    with pytest.raises(ConfigError, match=message):
        make_environment(EnvironmentConfig(environment, gripper_penalty=0.1))
    with pytest.raises(ConfigError, match=r"gripper_penalty: expected at least 0, got -0\.1"):
        EnvironmentConfig(environment, gripper_penalty=-0.1)
