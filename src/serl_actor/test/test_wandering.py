"""An arm wanders for a while, then the demonstrator has it."""

import numpy as np
from tool_env import ToolEnv

from serl_actor.wandering import Wandering, drifted


class Shows:
    """A demonstrator that counts its episodes."""

    def __init__(self):
        self.episodes = 0

    def reset(self):
        self.episodes += 1

    def __call__(self, observation):
        return np.full(6, 0.25)


def lengths(steps: int, episodes: int) -> list[int]:
    """Steps before the demonstrator, of each episode."""
    shows, found = Shows(), []
    wandering = Wandering(lambda environment: shows, steps, seed=0)
    device = wandering.device(ToolEnv())
    for episode in range(episodes):
        device.reset()
        wandering.begin_episode()
        given = []
        for _ in range(12):
            action, command = wandering.act({}), device({})
            assert np.abs(action).max() <= 1.0
            # One of both has the arm.
            assert command is None or not action.any()
            given.append(command is not None)
        assert given == sorted(given)  # once it has the arm, the demonstrator keeps it
        assert shows.episodes == episode + 1
        found.append(given.index(True))
    return found


def test_every_episode_begins_with_other_steps_at_random_up_to_the_limit():
    found = lengths(10, episodes=60)
    assert min(found) == 0 and max(found) == 10 and len(set(found)) > 5
    assert lengths(10, episodes=60) == found


def test_without_wandering_the_demonstrator_has_the_first_step():
    assert lengths(0, episodes=5) == [0] * 5


def test_a_drift_lasts_and_uses_the_whole_range():
    rng, action, actions = np.random.default_rng(0), np.zeros(7), []
    for _ in range(2000):
        action = drifted(action, rng)
        actions.append(action)
    actions = np.array(actions)
    assert np.abs(actions).max() == 1.0
    assert np.mean(actions[1:] * actions[:-1]) > 0.8 * np.mean(actions**2)
