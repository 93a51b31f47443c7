"""An arm wanders for a while, then the demonstrator has it."""

import numpy as np

from serl_actor.wandering import Wandering, drifted


class Shows:
    """A demonstrator that counts its episodes."""

    def __init__(self):
        self.episodes = 0

    def reset(self):
        self.episodes += 1

    def __call__(self, observation):
        return np.full(7, 0.25)


def lengths(device: Wandering, episodes: int) -> list[int]:
    """Steps before the demonstrator, of each episode."""
    found = []
    for _ in range(episodes):
        device.reset()
        actions = [device({}) for _ in range(12)]
        shown = [np.array_equal(action, np.full(7, 0.25)) for action in actions]
        assert shown == sorted(shown)  # once it has the arm, it keeps it
        assert np.abs(actions).max() <= 1.0
        found.append(shown.index(True))
    return found


def test_every_episode_begins_with_other_steps_at_random_up_to_the_limit():
    shows = Shows()
    found = lengths(Wandering(shows, 7, 10, seed=0), 60)
    assert min(found) == 0 and max(found) == 10 and len(set(found)) > 5
    assert shows.episodes == 60
    assert lengths(Wandering(Shows(), 7, 10, seed=0), 60) == found


def test_a_drift_lasts_and_uses_the_whole_range():
    rng, action, actions = np.random.default_rng(0), np.zeros(7), []
    for _ in range(2000):
        action = drifted(action, rng)
        actions.append(action)
    actions = np.array(actions)
    assert np.abs(actions).max() == 1.0
    assert np.mean(actions[1:] * actions[:-1]) > 0.8 * np.mean(actions**2)
