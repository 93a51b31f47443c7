import gymnasium as gym
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tool_env import SOCKET, START, ToolEnv

from serl_actor.intervention import Intervention
from serl_actor.relative_frame import RelativeFrame
from serl_learner.config import ConfigError


def rotvec_quaternion(*rotvec):
    return Rotation.from_rotvec(rotvec).as_quat()


def episode(environment, actions):
    observations = [environment.reset()[0]]
    observations += [environment.step(action)[0] for action in actions]
    return observations


def test_observations_by_hand():
    # The tool points down: its y and z axes are the base's -y and -z.
    environment = RelativeFrame(ToolEnv())
    observation, _ = environment.reset()
    np.testing.assert_allclose(observation["pose"], np.zeros(6), atol=1e-7)
    # The socket is 30 mm back and 40 mm below: ahead along the tool's z axis.
    np.testing.assert_allclose(observation["socket_pose"], [-0.03, 0.0, 0.04, 0, 0, 0], atol=1e-7)
    # Half an action along the tool's z: 10 mm down; at 0.1 s per step that is 0.1 m/s.
    observation, *_ = environment.step(np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(observation["pose"], [0, 0, 0.01, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(observation["socket_pose"], [-0.03, 0, 0.03, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(observation["twist"], [0, 0, 0.1, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(observation["force"], [1, 2, 3])
    np.testing.assert_allclose(observation["gripper"], [0.5])


def test_observations_have_the_space_that_is_announced_in_the_order_of_the_task():
    environment = RelativeFrame(ToolEnv())
    observation, _ = environment.reset()
    assert list(observation) == list(environment.observation_space.spaces)
    assert list(observation) == ["pose", "twist", "force", "gripper", "socket_pose"]
    assert environment.observation_space.contains(observation)


def test_a_translation_in_the_tool_frame_commands_no_rotation():
    tool = ToolEnv(start=np.array([0.4, -0.3, 0.3, *rotvec_quaternion(2.8, 0.3, -0.2)]))
    environment = RelativeFrame(tool)
    environment.reset()
    environment.step(np.array([0.3, -0.5, 0.8, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(tool.actions[0][3:], np.zeros(3), atol=1e-12)
    rotation = Rotation.from_rotvec([2.8, 0.3, -0.2])
    np.testing.assert_allclose(tool.actions[0][:3], rotation.apply([0.3, -0.5, 0.8]), atol=1e-6)


def test_an_action_uses_the_frame_that_it_was_chosen_in():
    # A full turn command about z, then "forward": along the axes after the first step.
    tool = ToolEnv(start=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))
    environment = RelativeFrame(tool)
    environment.reset()
    environment.step(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0]))
    environment.step(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(tool.actions[0][:3], [1.0, 0.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(tool.actions[1][:3], [np.cos(0.2), np.sin(0.2), 0.0], atol=1e-6)


def test_an_intervention_comes_back_as_the_action_that_commands_the_same():
    rng = np.random.default_rng(1)
    commands = rng.uniform(-1.0, 1.0, (8, 7))
    queue = iter(commands)
    tool = ToolEnv(action_size=7)
    intervened = RelativeFrame(Intervention(tool, lambda observation: next(queue)))
    intervened.reset()
    seen = [intervened.step(np.zeros(7))[4]["intervene_action"] for _ in commands]
    assert np.abs(np.array(seen)[:, :6] - commands[:, :6]).max() > 0.1  # in another frame
    np.testing.assert_allclose(np.array(seen)[:, 6], commands[:, 6])  # the gripper passes

    repeated_tool = ToolEnv(action_size=7)
    repeated = RelativeFrame(repeated_tool)
    repeated.reset()
    for action in seen:
        repeated.step(action)
    np.testing.assert_allclose(repeated_tool.actions, commands, atol=1e-6)


def test_moving_the_whole_scene_changes_nothing_that_the_policy_sees():
    turn = Rotation.from_rotvec([0.3, -1.1, 2.0])

    def moved(pose):
        position = turn.apply(pose[:3]) + np.array([0.2, -0.7, 0.4])
        return np.concatenate([position, (turn * Rotation.from_quat(pose[3:])).as_quat()])

    actions = np.random.default_rng(2).uniform(-1.0, 1.0, (20, 6))
    here = episode(RelativeFrame(ToolEnv()), actions)
    there = episode(RelativeFrame(ToolEnv(moved(START), moved(SOCKET))), actions)
    assert np.abs(here[-1]["pose"]).max() > 0.01
    for a, b in zip(here, there, strict=True):
        for key in a:
            np.testing.assert_allclose(a[key], b[key], atol=1e-5, err_msg=key)


def test_images_pass():
    class Seeing(gym.ObservationWrapper):
        def observation(self, observation):
            return observation | {"wrist_1": image}

    image = np.full((2, 2, 3), 7, np.uint8)
    environment = Seeing(ToolEnv())
    image_space = gym.spaces.Box(0, 255, (2, 2, 3), np.uint8)
    pairs = [*environment.observation_space.items(), ("wrist_1", image_space)]
    environment.observation_space = gym.spaces.Dict(pairs)
    relative = RelativeFrame(environment)
    observation, _ = relative.reset()
    assert observation["wrist_1"] is image
    assert relative.observation_space["wrist_1"] == image_space


def test_an_environment_without_a_tool_is_refused():
    environment = ToolEnv()
    pairs = [pair for pair in environment.observation_space.items() if pair[0] != "pose"]
    environment.observation_space = gym.spaces.Dict(pairs)
    with pytest.raises(ConfigError, match="expected an observation 'pose', got twist, force"):
        RelativeFrame(environment)
    with pytest.raises(ConfigError, match=r"expected 6 or 7 elements, got \(3,\)"):
        RelativeFrame(ToolEnv(action_size=3))
