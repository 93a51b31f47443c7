import threading

import numpy as np
import pytest

from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.latest_policy import LatestPolicy, Waiter, check_fits
from serl_learner.config import ConfigError
from serl_learner.policy import Policy
from serl_learner.transition import ObservationSpec


class Constant:
    """A policy that always acts the same."""

    def __init__(self, action):
        self._action = np.array([action], np.float32)

    def begin_episode(self):
        self.before = None

    def go_on_from(self, other):
        self.before = other

    def act(self, observation, deterministic):
        assert not deterministic
        return self._action


class Clock:
    """Half a second passes each time it is read."""

    now = 0.0

    def __call__(self):
        self.now += 0.5
        return self.now


def make(max_lead=20, random_steps=0, stop=lambda: False, say=lambda text: None):
    return LatestPolicy(Waiter(stop, say, Clock()), max_lead, random_steps)


def in_thread(gate, sequence):
    """Calls the gate in a thread: the list gets what it returns."""
    result = []
    thread = threading.Thread(target=lambda: result.append(gate(sequence)), daemon=True)
    thread.start()
    return thread, result


def test_the_newest_policy_is_taken_at_the_gate_alone():
    policy = make()
    policy.put(Constant(0.1), version=4, env_steps=0, latency_s=0.002)
    assert policy.version == 0
    assert policy.gate(0)
    assert (policy.version, policy.act({})[0], policy.latency_s) == (4, np.float32(0.1), 0.002)
    policy.put(Constant(0.2), version=8, env_steps=10, latency_s=0.003)
    assert (policy.version, policy.act({})[0]) == (4, np.float32(0.1))
    assert policy.gate(1)
    assert (policy.version, policy.act({})[0]) == (8, np.float32(0.2))


def test_a_policy_that_takes_over_within_an_episode_knows_its_frames():
    policy, first, second = make(), Constant(0.1), Constant(0.2)
    policy.begin_episode()  # there is none yet
    policy.put(first, version=4, env_steps=0, latency_s=0.0)
    policy.gate(0)
    policy.put(second, version=8, env_steps=10, latency_s=0.0)
    policy.gate(1)
    assert second.before is first
    policy.begin_episode()
    assert second.before is None


def test_waits_until_the_learner_is_less_than_max_lead_behind():
    policy = make(max_lead=20)
    policy.put(Constant(0.0), 0, env_steps=100, latency_s=0.0)
    assert policy.gate(119)
    thread, result = in_thread(policy.gate, 120)
    thread.join(0.3)
    assert thread.is_alive()
    policy.put(Constant(0.0), 0, env_steps=101, latency_s=0.0)
    thread.join(10.0)
    assert result == [True]


def test_random_steps_need_no_policy_but_keep_the_lead():
    policy = make(max_lead=20, random_steps=300)
    assert policy.gate(19)
    thread, result = in_thread(policy.gate, 20)
    thread.join(0.3)
    assert thread.is_alive()
    policy.put(Constant(0.0), 0, env_steps=10, latency_s=0.0)
    thread.join(10.0)
    assert result == [True]


def test_without_a_lead_only_the_first_policy_is_waited_for():
    policy = make(max_lead=0)
    thread, result = in_thread(policy.gate, 0)
    thread.join(0.3)
    assert thread.is_alive()
    policy.put(Constant(0.0), 0, env_steps=0, latency_s=0.0)
    thread.join(10.0)
    assert result == [True]
    assert policy.gate(10**6)


def test_a_stop_ends_the_wait():
    stop = threading.Event()
    policy = make(stop=stop.is_set)
    thread, result = in_thread(policy.gate, 0)
    stop.set()
    thread.join(10.0)
    assert result == [False]


def test_a_long_wait_is_told_once_and_its_end_too():
    said, told = [], threading.Event()

    def say(text):
        said.append(text)
        told.set()

    policy = make(max_lead=5, say=say)
    policy.put(Constant(0.0), 0, env_steps=10, latency_s=0.0)
    thread, _ = in_thread(policy.gate, 15)
    assert told.wait(10.0)
    policy.put(Constant(0.0), 0, env_steps=20, latency_s=0.0)
    thread.join(10.0)
    assert len(said) == 2
    assert said[0].startswith("waiting for the learner: transition 15 is 5 or more ahead")
    assert said[1].startswith("going on after")


def test_a_policy_has_to_fit_the_environment():
    environment = make_environment(EnvironmentConfig(id="Pendulum-v1"))
    check_fits(Policy(ObservationSpec((("state", 3),)), action_size=1), environment)
    with pytest.raises(ConfigError, match=r"policy: expected observations of .*got one for"):
        check_fits(Policy(ObservationSpec((("state", 4),)), action_size=1), environment)
    with pytest.raises(ConfigError, match=r"policy: expected actions of \(1,\), got \(2,\)"):
        check_fits(Policy(ObservationSpec((("state", 3),)), action_size=2), environment)
