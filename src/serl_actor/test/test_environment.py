import gymnasium as gym
import numpy as np
import pytest
import tool_env
from gymnasium import spaces

from serl_actor.environment import (
    EnvironmentConfig,
    control_period_s,
    demonstrator_of,
    is_success,
    make_environment,
)
from serl_learner.config import ConfigError

TOOL = "tool_env:test/Tool-v0"


class Spaces(gym.Env):
    """Any spaces; the observation is what `value` says."""

    def __init__(self, observation, action=None, value=None):
        self.observation_space = observation
        self.action_space = action or spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.value = value
        self.executed = None

    def reset(self, *, seed=None, options=None):
        return self.value, {}

    def step(self, action):
        self.executed = action
        return self.value, 0.0, False, False, {}


gym.register("test/Spaces-v0", Spaces, max_episode_steps=10)
gym.register("test/Endless-v0", tool_env.ToolEnv)


def make_spaces(observation, action=None, value=None):
    arguments = {"observation": observation, "action": action, "value": value}
    return make_environment(EnvironmentConfig("test/Spaces-v0", arguments=arguments))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id": "test/Tol-v0"}, r"environment.id: 'test/Tol-v0'.*test/Tool-v0"),
        ({"id": "no_such_module:Tool-v0"}, "environment.id.*no_such_module"),
        (
            {"id": TOOL, "arguments": {"stat": 1}},
            "environment.arguments: tool_env:.*stat",
        ),
        ({"id": "CartPole-v1"}, r"action: expected a Box of one dimension, got Discrete\(2\)"),
        (
            {"id": "test/Endless-v0"},
            r"environment\.max_episode_steps: expected at least 1, since test/Endless-v0 has",
        ),
        ({"id": "Pendulum-v1", "relative_frame": True}, "expected an observation 'pose'"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(config, message):
    with pytest.raises(ConfigError, match=message) as error:
        make_environment(EnvironmentConfig(**config))
    assert "\n" not in str(error.value)


def test_time_limits():
    def steps(config):
        environment = make_environment(config)
        environment.reset()
        for n in range(1, 100):
            _, _, terminated, truncated, _ = environment.step(np.zeros(6))
            if truncated:
                assert not terminated
                return n
        return None

    assert steps(EnvironmentConfig(TOOL)) == 10  # its own
    assert steps(EnvironmentConfig(TOOL, max_episode_steps=7)) == 7
    assert steps(EnvironmentConfig("test/Endless-v0", max_episode_steps=7)) == 7
    with pytest.raises(ConfigError, match="max_episode_steps: expected at least 0, got -1"):
        EnvironmentConfig(TOOL, max_episode_steps=-1)


def test_a_plain_box_becomes_the_state_and_actions_are_rescaled():
    low, high = np.array([-2.0, 0.0]), np.array([2.0, 1.0])
    environment = make_spaces(
        spaces.Box(-10.0, 10.0, (2, 2), np.float64),
        spaces.Box(low.astype(np.float32), high.astype(np.float32)),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
    )
    observation, _ = environment.reset()
    assert list(observation) == ["state"]
    assert observation["state"].dtype == np.float32
    np.testing.assert_array_equal(observation["state"], [1, 2, 3, 4])
    assert environment.observation_space.contains(observation)
    assert environment.action_space.shape == (2,)
    assert (environment.action_space.low == -1).all() and (environment.action_space.high == 1).all()
    environment.step(np.array([0.5, -1.0]))
    np.testing.assert_allclose(environment.unwrapped.executed, [1.0, 0.0])


def test_a_dict_keeps_its_order_images_stay_images_and_the_rest_is_flattened():
    vector = spaces.Box(-1, 1, (2,), np.float64)
    image = spaces.Box(0, 255, (4, 4, 3), np.uint8)
    environment = make_spaces(
        spaces.Dict([("z", vector), ("camera", image), ("a", spaces.Box(0, 9, (1, 2), np.int64))]),
        value={
            "a": np.array([[5, 6]]),
            "z": np.zeros(2),
            "camera": np.full((4, 4, 3), 99, np.uint8),
        },
    )
    observation, _ = environment.reset()
    assert list(observation) == ["z", "camera", "a"]
    assert observation["camera"].dtype == np.uint8 and observation["camera"].shape == (4, 4, 3)
    np.testing.assert_array_equal(observation["a"], np.array([5, 6], np.float32))
    assert environment.observation_space.contains(observation)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Dict({"inner": spaces.Dict({"x": spaces.Box(-1, 1, (1,))})}),
        spaces.Dict({"count": spaces.Discrete(3)}),
        spaces.Dict({"camera": spaces.Box(0, 255, (1, 4, 4), np.uint8)}),
        spaces.Dict({"pose": spaces.Box(-1, 1, (7,)), "nothing": spaces.Box(-1, 1, (0,))}),
        spaces.Box(0, 255, (0, 4, 3), np.uint8),
    ],
)
def test_other_observations_are_refused(space):
    with pytest.raises(ConfigError, match=r"environment test/Spaces-v0: observation.*expected"):
        make_spaces(space)


def test_unbounded_actions_are_refused():
    with pytest.raises(ConfigError, match="action: expected finite bounds"):
        make_spaces(spaces.Box(-1, 1, (1,)), spaces.Box(-np.inf, np.inf, (2,)))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            {"force": np.array([0, np.nan, 0])},
            r"step 1: observation 'force' is not finite: \[0",
        ),
        ({"force": np.zeros(4)}, r"observation 'force': expected shape \(3,\), got \(4,\)"),
    ],
)
def test_broken_observations_are_refused_with_name_and_step(broken, message):
    environment = make_environment(EnvironmentConfig(TOOL, relative_frame=True))
    environment.reset()
    environment.unwrapped.broken = broken
    with pytest.raises(ValueError, match=f"environment tool_env:test/Tool-v0, .*{message}"):
        environment.step(np.zeros(6))


def test_broken_actions_and_rewards_are_refused(monkeypatch):
    environment = make_environment(EnvironmentConfig(TOOL))
    environment.reset()
    with pytest.raises(ValueError, match="step 1: action is not finite"):
        environment.step(np.array([0, np.nan, 0, 0, 0, 0]))
    with pytest.raises(ValueError, match=r"action: expected shape \(6,\), got \(5,\)"):
        environment.step(np.zeros(5))
    real = tool_env.ToolEnv.step
    monkeypatch.setattr(
        tool_env.ToolEnv, "step", lambda self, a: (real(self, a)[0], np.inf, False, False, {})
    )
    with pytest.raises(ValueError, match="reward is not finite: inf"):
        environment.step(np.zeros(6))
    info = {"grasp_penalty": np.nan}
    monkeypatch.setattr(
        tool_env.ToolEnv, "step", lambda self, a: (real(self, a)[0], 0.0, False, False, info)
    )
    with pytest.raises(ConfigError, match="step 4: grasp_penalty is not finite: nan"):
        environment.step(np.zeros(6))


def test_an_observation_that_was_given_is_not_changed_by_the_next_step():
    shared = {"x": np.zeros(2, np.float32), "camera": np.full((4, 4, 3), 99, np.uint8)}
    space = {"x": spaces.Box(-1, 1, (2,)), "camera": spaces.Box(0, 255, (4, 4, 3), np.uint8)}
    environment = make_spaces(spaces.Dict(space), value=shared)
    first, _ = environment.reset()
    for array in shared.values():
        array += 1
    environment.step(np.zeros(2))
    assert (first["x"] == 0).all() and (first["camera"] == 99).all()


def test_only_the_flag_means_success():
    assert is_success({"success": True}) and is_success({"is_success": 1.0})
    assert not is_success({}) and not is_success({"success": False, "is_success": True})


def test_the_control_period_is_the_environments_or_a_tenth_of_a_second():
    assert control_period_s(make_environment(EnvironmentConfig(TOOL))) == pytest.approx(0.05)
    assert control_period_s(make_spaces(spaces.Box(-1, 1, (1,)))) == pytest.approx(0.1)


def test_the_demonstrator_drives_the_raw_environment():
    config = EnvironmentConfig(TOOL, relative_frame=True, demonstrator="tool_env:TowardsSocket")
    environment = make_environment(config, device=demonstrator_of(config, 3))
    environment.reset()
    for _ in range(10):
        *_, terminated, truncated, info = environment.step(np.zeros(6))
        if terminated or truncated:
            break
    assert info["success"]


@pytest.mark.parametrize("name", ["", "tool_env", "tool_env:Nobody", "no_such_module:Nobody"])
def test_a_demonstrator_that_is_not_there_is_told(name):
    config = EnvironmentConfig(TOOL, demonstrator=name)
    with pytest.raises(ConfigError, match=r"environment\.demonstrator"):
        make_environment(config, device=demonstrator_of(config, 0))


def test_an_environment_that_cannot_start_says_why_in_one_line(monkeypatch):
    def fail(self):
        raise RuntimeError("cannot render:\nexpected EGL")

    monkeypatch.setattr(tool_env.ToolEnv, "__init__", fail)
    with pytest.raises(ConfigError, match=r"'tool_env:test/Tool-v0': cannot render: expected EGL"):
        make_environment(EnvironmentConfig(TOOL))
