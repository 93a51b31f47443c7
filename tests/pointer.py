"""A tool that moves as commanded, at the rate of a robot, and is done above its goal."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

STEP = 0.02  # m of a full action


class Pointer(gym.Env):
    metadata = {"render_modes": [], "render_fps": 20}  # noqa: RUF012

    def __init__(self, knows=True):
        """`knows`: whether it tells a success."""
        self.observation_space = spaces.Dict({"pose": spaces.Box(-9, 9, (7,), np.float32)})
        self.action_space = spaces.Box(-1.0, 1.0, (6,), np.float32)
        self._knows = knows

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._x = 0.0
        return self._observe(), {}

    def step(self, action):
        self._x += STEP * float(action[0])
        success = self._knows and self._x > 3.5 * STEP
        return self._observe(), float(success), success, False, {"success": success}

    def _observe(self):
        return {"pose": np.array([self._x, 0, 0, 0, 0, 0, 1], np.float32)}


gym.register("Pointer-v0", entry_point="pointer:Pointer", max_episode_steps=1000)
