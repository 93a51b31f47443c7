from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import tool_env

from serl_actor import probing
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.probing import GoesOn, Probing

CONFIG = EnvironmentConfig("tool_env:test/Tool-v0", max_episode_steps=400)


def steps(dwells=True, action_size=6, count=400):
    """Of one episode: success, and the action of each step."""
    config = replace(CONFIG, arguments={"action_size": action_size})
    environment = make_environment(config)
    demonstrator = tool_env.TowardsSocket(environment, 0)
    environment = Probing(GoesOn(environment), _Padded(demonstrator, action_size), seed=1)
    environment.dwells = dwells
    environment.reset(seed=0)
    seen = [environment.step(None) for _ in range(count)]
    assert not any(terminated for _, _, terminated, _, _ in seen)
    assert [truncated for _, _, _, truncated, _ in seen[:-1]] == [False] * (count - 1)
    return np.array([i["success"] for *_, i in seen]), [i["intervene_action"] for *_, i in seen]


class _Padded:
    """Closes the gripper, where there is one."""

    def __init__(self, demonstrator, action_size):
        self._demonstrator, self._more = demonstrator, action_size - 6

    def __call__(self, observation):
        return np.append(self._demonstrator(observation), np.ones(self._more))


@pytest.fixture(autouse=True)
def never_astray(monkeypatch):
    monkeypatch.setattr(probing, "ASTRAY", 0.0)


def test_it_goes_in_and_out_many_times_within_an_episode(monkeypatch):
    monkeypatch.setattr(probing, "MISSES", (1, 1))  # more of them leave less time for it
    success, actions = steps()
    entered = np.flatnonzero(~success[:-1] & success[1:])
    assert len(entered) >= 5
    assert 0.1 < success.mean() < 0.9
    assert np.abs(actions).max() <= 1.0


def test_in_success_it_rests_first_and_then_moves_a_little():
    success, actions = steps()
    first = np.flatnonzero(success)[0]
    np.testing.assert_array_equal(actions[first + 1], np.zeros(6))
    assert 0.0 < np.abs(actions[first + 2]).max() < 1.0


def test_it_is_pulled_out_the_way_it_came_before_it_wanders(monkeypatch):
    monkeypatch.setattr(probing, "TREMBLE", (0.0, 0.0))
    success, actions = steps()
    left = np.flatnonzero(success[:-1] & ~success[1:]) + 1
    assert len(left) >= 5
    for step in left:
        assert any(np.allclose(actions[step], -done, atol=1e-6) for done in actions[:step])


def test_the_same_way_in_is_tried_again_from_where_it_strayed_to(monkeypatch):
    monkeypatch.setattr(probing, "MISSES", (1, 1))
    monkeypatch.setattr(probing, "TREMBLE", (0.0, 0.0))
    monkeypatch.setattr(probing, "RETREAT", (2, 2))
    success, actions = steps()
    left = int(np.flatnonzero(success[:-1] & ~success[1:])[0]) + 1
    undone = [-actions[left - 1], -actions[left], -actions[left + 1]]  # the newest first
    again = [
        step
        for step in range(left, left + 2 + probing.STROLL[1] + 3)
        if np.allclose(actions[step : step + 2], undone[:0:-1], atol=1e-6)
    ]
    assert again  # within a stroll's length, in their old order


def test_a_stroll_before_a_miss_leads_aside_of_the_way_in():
    environment = Probing(make_environment(CONFIG), lambda observation: None, seed=0)
    way_out = [np.array([0.0, 0.3, 0.4, 0.0, 0.0, 0.1])] * 3
    moves = [move for _ in range(10) for move in environment._stroll(0.5, way_out)]
    assert len(moves) > 10 and np.abs(moves).max() > 0.1
    np.testing.assert_allclose([move[:3] @ way_out[0][:3] for move in moves], 0, atol=1e-12)


def test_without_dwelling_there_are_fewer_successes():
    assert steps(dwells=False)[0].mean() < 0.5 * steps()[0].mean()


def test_an_episode_astray_needs_no_demonstrator(monkeypatch):
    monkeypatch.setattr(probing, "ASTRAY", 1.0)
    _, actions = steps(count=100)
    assert np.std(actions, axis=0).min() > 0.2  # along and about all axes


def test_the_gripper_is_left_to_the_demonstrator():
    _, actions = steps(action_size=7)
    assert {action[6] for action in actions} == {0.0, 1.0}


class _Kept(gym.Wrapper):
    """A success lasts until the demonstrator, who turns the seventh element to 1, ends it."""

    def reset(self, **arguments):
        self._kept = False
        return self.env.reset(**arguments)

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._kept = (self._kept or info["success"]) and not (self._kept and action[6] == 1.0)
        return observation, reward, terminated, truncated, info | {"success": self._kept}


def test_what_stays_solved_when_the_tool_goes_is_taken_up_by_the_demonstrator(monkeypatch):
    monkeypatch.setattr(probing, "IN_VAIN", 7)
    config = replace(CONFIG, arguments={"action_size": 7})
    environment = make_environment(config)
    demonstrator = _Padded(tool_env.TowardsSocket(environment, 0), 7)
    environment = Probing(_Kept(GoesOn(environment)), demonstrator, seed=1)
    environment.reset(seed=0)
    infos = [environment.step(None)[-1] for _ in range(400)]
    success = np.array([info["success"] for info in infos])
    gripper = np.array([info["intervene_action"][6] for info in infos])
    ended = np.flatnonzero(success[:-1] & ~success[1:]) + 1
    assert len(ended) >= 4
    assert (gripper[ended] == 1.0).all()
    first = ended[0]
    assert (gripper[first - 7 : first] == 0.0).all()  # undone in vain, with the arm alone
    assert success[first - 7 : first].all()
