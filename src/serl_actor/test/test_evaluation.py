import gymnasium as gym
import numpy as np
import pytest
import tool_env
from gymnasium import spaces
from tool_env import Resting

from serl_actor.environment import EnvironmentConfig, demonstrator_of, make_environment
from serl_actor.evaluation import EvaluationResult, evaluate, evaluate_turns
from serl_learner.config import ConfigError

CONFIG = EnvironmentConfig("tool_env:test/Tool-v0", demonstrator="tool_env:TowardsSocket")


def test_cycle_time_counts_successes_only():
    result = EvaluationResult((True, False, True), (30, 100, 50), (1.0, 0.0, 1.0), 0.1)
    assert result.success_rate == pytest.approx(2 / 3)
    assert result.cycle_time_s == pytest.approx(4.0)
    assert result.mean_return == pytest.approx(2 / 3)
    assert EvaluationResult((False,), (9,), (0.0,), 0.1).cycle_time_s is None


def test_the_demonstrator_solves_the_task_and_rest_does_not():
    result = evaluate(
        make_environment(CONFIG, device=demonstrator_of(CONFIG, 0)), Resting(), 4, seed=1
    )
    assert result.success_rate == 1.0 and result.lengths == (2, 2, 2, 2)
    assert result.cycle_time_s == pytest.approx(0.1)  # two steps at 20 Hz
    result = evaluate(make_environment(CONFIG), Resting(), 2, seed=1)
    assert result.success_rate == 0.0 and result.lengths == (10, 10)


def test_the_policy_is_deterministic_and_meets_the_same_starts():
    environment, policy = make_environment(CONFIG), Resting()
    evaluate(environment, policy, 3, seed=4)
    evaluate(environment, policy, 3, seed=4)
    assert policy.asked == [True] * 60  # each episode lasts for its 10 steps
    assert policy.episodes == [0, 10, 20, 30, 40, 50]
    seeds = environment.unwrapped.seeds
    assert seeds[:3] == seeds[3:] and len(set(seeds)) == 3


def test_frames_are_given_where_the_environment_draws():
    frames = []
    environment = make_environment(
        CONFIG, device=demonstrator_of(CONFIG, 0), render_mode="rgb_array"
    )
    evaluate(environment, Resting(), 1, seed=0, on_frame=frames.append)
    assert len(frames) == 3 and frames[0].shape == (4, 6, 3)  # before each of two steps, and after
    with pytest.raises(NotImplementedError, match="draws no pictures"):
        evaluate(make_environment(CONFIG), Resting(), 1, seed=0, on_frame=frames.append)


def test_no_episodes_is_an_error():
    with pytest.raises(ConfigError, match="episodes: expected at least 1, got 0"):
        evaluate(tool_env.ToolEnv(), Resting(), 0, seed=0)


class Pile(gym.Env):
    """A pile of stones, 2 at first: `up` is done with 3 of them, `down` with none."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012
    observation_space = spaces.Dict({"stones": spaces.Box(0.0, 9.0, (1,), np.float32)})
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self):
        self.seeds, self.resets, self.stones, self.agent = [], 0, 2, "down"

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.resets += 1
        self.steps = 0
        if (self.agent == "up") == (self.stones == 3):
            self.agent = "down" if self.agent == "up" else "up"
        return self._observe(), {"agent": self.agent, "rescued": self.resets == 3}

    def step(self, action):
        self.stones += int(action[0])
        self.steps += 1
        success = self.stones == {"up": 3, "down": 0}[self.agent]
        return self._observe(), float(success), success, self.steps == 4, {"success": success}

    def _observe(self):
        return {"stones": np.array([self.stones], np.float32)}


class Moves:
    def __init__(self, stones):
        self._action = np.array([stones], np.float32)

    def begin_episode(self):
        pass

    def act(self, observation, deterministic):
        assert deterministic
        return self._action


def test_in_turns_the_world_stays_as_the_one_before_has_left_it():
    environment = Pile()
    results = evaluate_turns(environment, {"up": Moves(1), "down": Moves(-1)}, 5, seed=7)
    assert environment.seeds == [7, None, None, None, None]
    assert results["up"].lengths == (1, 3, 3)  # from 2 stones, then from none
    assert results["down"].lengths == (3, 3)
    assert results["up"].success_rate == results["down"].success_rate == 1.0
    assert (results["up"].rescues, results["down"].rescues) == (1, 0)
    assert results["down"].cycle_time_s == pytest.approx(0.3)


def test_in_turns_one_that_fails_leaves_the_other_none():
    results = evaluate_turns(Pile(), {"up": Moves(0), "down": Moves(-1)}, 3, seed=7)
    assert list(results) == ["up"]
    assert results["up"].successes == (False, False, False)
