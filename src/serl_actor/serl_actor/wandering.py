"""An arm that wanders before it is shown something: it sees more than a demonstrator shows."""

from collections.abc import Callable

import gymnasium as gym
import numpy as np

from serl_actor.intervention import Device
from serl_learner.transition import Observation


def drifted(action: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An action at random that goes on from this one, each element in [-1, 1]."""
    return np.clip(0.9 * action + 0.5 * rng.uniform(-1, 1, action.shape), -1.0, 1.0)


class Wandering:
    """A policy that drifts at the beginning of an episode, then rests, and a device beside it.

    The device has the arm as soon as the policy rests.
    """

    version = 0

    def __init__(self, make_device: Callable[[gym.Env], Device], steps: int, seed: int):
        """`steps`: at most so many drift; how many is drawn for each episode."""
        self._make_device = make_device
        self._steps = steps
        self._rng = np.random.default_rng(seed)
        self._left = 0
        self._drifts = False  # in the present step

    def device(self, environment: gym.Env) -> Device:
        """Of the environment below it, for make_environment."""
        self._action = np.zeros(environment.action_space.shape, np.float32)
        self._device = self._make_device(environment)
        return self

    def reset(self) -> None:
        if hasattr(self._device, "reset"):
            self._device.reset()

    def __call__(self, observation: Observation) -> np.ndarray | None:
        return None if self._drifts else self._device(observation)

    def begin_episode(self) -> None:
        self._left = int(self._rng.integers(self._steps, endpoint=True))
        self._action = np.zeros_like(self._action)

    def act(self, observation: Observation) -> np.ndarray:
        self._drifts = self._left > 0
        self._left -= self._drifts
        drift = drifted(self._action, self._rng).astype(np.float32)
        self._action = drift if self._drifts else np.zeros_like(self._action)
        return self._action
