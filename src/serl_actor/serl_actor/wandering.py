"""Actions at random that last, with which an arm sees more than a demonstrator shows."""

import numpy as np

from serl_actor.intervention import Device
from serl_learner.transition import Observation


def drifted(action: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The action after this one, each element in [-1, 1]."""
    return np.clip(0.9 * action + 0.5 * rng.uniform(-1, 1, action.shape), -1.0, 1.0)


class Wandering:
    """A device that wanders at the beginning of an episode, and then leaves it to another one."""

    def __init__(self, device: Device, action_size: int, steps: int, seed: int):
        """`steps`: at most so many; how many is drawn for each episode."""
        self._device = device
        self._rng = np.random.default_rng(seed)
        self._action = np.zeros(action_size)
        self._steps = steps
        self._left = 0

    def reset(self) -> None:
        self._left = int(self._rng.integers(self._steps, endpoint=True))
        self._action = np.zeros_like(self._action)
        if hasattr(self._device, "reset"):
            self._device.reset()

    def __call__(self, observation: Observation) -> np.ndarray | None:
        if self._left == 0:
            return self._device(observation)
        self._left -= 1
        self._action = drifted(self._action, self._rng)
        return self._action
