"""A person, or a scripted one, takes over from the policy for a step."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from serl_learner.config import expect
from serl_learner.transition import Observation

DEVICES = ("none", "scripted")

# An action for the observation, both as the wrapped environment has them; None: the policy acts.
# A device that has a method `reset()` is told of every new episode.
Device = Callable[[Observation], np.ndarray | None]


@dataclass(frozen=True)
class InterventionConfig:
    device: str = "none"  # who may take over in training: nobody, or scripted (see corrector.py)

    def __post_init__(self) -> None:
        expect(self.device in DEVICES, "device", f"one of {', '.join(DEVICES)}", self.device)


class Intervention(gym.Wrapper):
    """Replaces the action by the device's, whenever that gives one.

    `info["intervene_action"]` is then the action that was executed, in the frame of the wrapped
    environment. It is absent where the policy acted. Each of its elements is in [-1, 1]; with
    `turned`, where it is also seen in other axes, they are so in all: translation and rotation are
    at most as long as 1. So what is stored is what was executed.
    """

    def __init__(self, env: gym.Env, device: Device, turned: bool = False):
        super().__init__(env)
        self._device = device
        self._turned = turned
        self._observation: Observation = {}

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._observation, info = self.env.reset(seed=seed, options=options)
        if hasattr(self._device, "reset"):
            self._device.reset()
        return self._observation, info

    def step(self, action):
        command = self._device(self._observation)
        if command is not None:
            action = self._bounded(np.array(command, dtype=np.float64))
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        if command is not None:
            info["intervene_action"] = action
        return self._observation, reward, terminated, truncated, info

    def _bounded(self, action: np.ndarray) -> np.ndarray:
        action = np.clip(action, -1.0, 1.0)
        if self._turned:
            for block in (action[:3], action[3:6]):
                block /= max(1.0, np.linalg.norm(block))
        return action
