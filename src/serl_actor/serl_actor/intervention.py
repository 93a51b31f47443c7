"""A person, or a scripted demonstrator, takes over from the policy for a step."""

from collections.abc import Callable

import gymnasium as gym
import numpy as np

from serl_learner.transition import Observation

# An action for the observation, both as the wrapped environment has them; None: the policy acts.
# A device that has a method `reset()` is told of every new episode.
Device = Callable[[Observation], np.ndarray | None]


class Intervention(gym.Wrapper):
    """Replaces the action by the device's, whenever that gives one.

    `info["intervene_action"]` is then the action that was executed, clipped to [-1, 1], in the
    frame of the wrapped environment. It is absent where the policy acted.
    """

    def __init__(self, env: gym.Env, device: Device):
        super().__init__(env)
        self._device = device
        self._observation: Observation = {}

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._observation, info = self.env.reset(seed=seed, options=options)
        if hasattr(self._device, "reset"):
            self._device.reset()
        return self._observation, info

    def step(self, action):
        command = self._device(self._observation)
        if command is not None:
            action = np.clip(np.asarray(command, dtype=np.float64), -1.0, 1.0)
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        if command is not None:
            info["intervene_action"] = action
        return self._observation, reward, terminated, truncated, info
