import pytest
import tool_env
from tool_env import Resting

from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.evaluation import EvaluationResult, evaluate
from serl_learner.config import ConfigError

CONFIG = EnvironmentConfig("tool_env:test/Tool-v0", demonstrator="tool_env:TowardsSocket")


def test_cycle_time_counts_successes_only():
    result = EvaluationResult((True, False, True), (30, 100, 50), (1.0, 0.0, 1.0), 0.1)
    assert result.success_rate == pytest.approx(2 / 3)
    assert result.cycle_time_s == pytest.approx(4.0)
    assert result.mean_return == pytest.approx(2 / 3)
    assert EvaluationResult((False,), (9,), (0.0,), 0.1).cycle_time_s is None


def test_the_demonstrator_solves_the_task_and_rest_does_not():
    result = evaluate(make_environment(CONFIG, demonstrator_seed=0), Resting(), 4, seed=1)
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
    environment = make_environment(CONFIG, demonstrator_seed=0, render_mode="rgb_array")
    evaluate(environment, Resting(), 1, seed=0, on_frame=frames.append)
    assert len(frames) == 3 and frames[0].shape == (4, 6, 3)  # before each of two steps, and after
    with pytest.raises(NotImplementedError, match="draws no pictures"):
        evaluate(make_environment(CONFIG), Resting(), 1, seed=0, on_frame=frames.append)


def test_no_episodes_is_an_error():
    with pytest.raises(ConfigError, match="episodes: expected at least 1, got 0"):
        evaluate(tool_env.ToolEnv(), Resting(), 0, seed=0)
