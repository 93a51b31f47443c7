import numpy as np
import pytest
import tool_env

from serl_actor.demonstrations import record, summarise
from serl_actor.environment import EnvironmentConfig
from serl_learner.config import ConfigError
from serl_learner.transition import Transition

CONFIG = EnvironmentConfig(
    "tool_env:test/Tool-v0", relative_frame=True, demonstrator="tool_env:TowardsSocket"
)


def test_only_successful_episodes_are_kept_and_numbered_without_gaps(monkeypatch):
    monkeypatch.setattr(tool_env.TowardsSocket, "fails", (0, 2))
    transitions = []
    failed = record(CONFIG, 3, seed=0, write=transitions.append)
    assert failed == 2
    assert [t.sequence for t in transitions] == list(range(len(transitions)))
    assert sorted({t.episode for t in transitions}) == [0, 1, 2]
    assert [t.success for t in transitions] == [t.terminated for t in transitions]
    assert sum(t.success for t in transitions) == 3
    assert all(t.intervened and t.policy_version == 0 for t in transitions)
    # In the tool frame: back and ahead, never sideways; as the base frame's (-x, 0, -z), of which
    # each is asked for wholly: together they are as long as one.
    expected = np.array([-1, 0, 1, 0, 0, 0]) / np.sqrt(2)
    np.testing.assert_allclose(transitions[0].action, expected, atol=1e-6)


def test_a_device_takes_the_place_of_the_demonstrator():
    transitions = []
    device, ended = tool_env.TowardsSocket(None, 0), []
    record(
        EnvironmentConfig("tool_env:test/Tool-v0"),
        1,
        seed=0,
        write=transitions.append,
        device=lambda environment: device,
        agent="left",
        ended=ended.append,
    )
    assert [stats.success for stats in ended] == [True]
    assert transitions[-1].success and transitions[0].agent == "left"


def test_a_demonstrator_that_never_succeeds_is_told():
    config = EnvironmentConfig("tool_env:test/Tool-v0")
    message = "expected 2 successful demonstrations, got 0, then 20 failures in a row"
    with pytest.raises(ConfigError, match=message):
        record(config, 2, 0, lambda t: None, device=lambda environment: lambda o: np.zeros(6))


def test_no_episodes_is_an_error():
    with pytest.raises(ConfigError, match="episodes: expected at least 1, got 0"):
        record(CONFIG, 0, 0, lambda t: None)


def test_a_summary_by_hand():
    def transition(episode, step, action, success=False, reward=0.0):
        observation = {"pose": np.zeros(6, np.float32)}
        return Transition(
            "agent", "actor", 0, episode, step, observation, np.array(action, np.float32),
            reward, success, False, success=success, intervened=step == 0,
        )  # fmt: skip

    summary = summarise(
        [
            transition(0, 0, [1.0, 0.5]),
            transition(0, 1, [-1.0, 0.5]),
            transition(0, 2, [0.0, 0.5], success=True, reward=1.0),
            transition(1, 0, [0.0, -0.5]),
        ]
    )
    assert (summary.episodes, summary.steps, summary.successes) == (2, 4, 1)
    assert summary.lengths == (3, 1) and summary.mean_length == 2.0
    assert summary.intervened_steps == 2 and summary.mean_return == 0.5
    assert summary.action_mean == (0.0, 0.25)
    assert summary.action_std == pytest.approx((np.sqrt(0.5), np.sqrt(0.1875)))
    assert summary.saturated == (0.5, 0.0)
    assert summary.observations == {"pose": (6,)}


def test_a_summary_of_nothing():
    summary = summarise([])
    assert summary.episodes == 0 and summary.mean_length == 0.0 and summary.saturated == ()
