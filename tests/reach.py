"""A task that is learned in seconds: drive a point to the origin. Reward 1 there, 0 elsewhere."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

STEP = 0.1  # distance of a full action
RADIUS = 0.1  # of success


class Reach(gym.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode=None, nan_at=0, posed=False):
        """`nan_at`: number of the step, counted over episodes, that observes NaN; 0: none does.

        `posed`: the point's place is observed as a tool's pose too.
        """
        boxes = {"position": spaces.Box(-1.5, 1.5, (2,), np.float32)}
        if posed:
            boxes["pose"] = spaces.Box(-1.5, 1.5, (7,), np.float32)
        self.observation_space = spaces.Dict(boxes)
        self._posed = posed
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.render_mode = render_mode
        self._nan_at = nan_at
        self._steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1.0, 1.0, 2)
        return self._observe(), {}

    def step(self, action):
        self._steps += 1
        self.position = np.clip(self.position + STEP * np.asarray(action), -1.5, 1.5)
        success = bool(np.linalg.norm(self.position) < RADIUS)
        return self._observe(), float(success), success, False, {"success": success}

    def render(self):
        image = np.full((64, 64, 3), 255, np.uint8)
        column, row = np.clip(32 + 20 * self.position, 0, 63).astype(int)
        image[row, column] = (200, 0, 0)
        return image

    def _observe(self):
        value = self.position if self._steps != self._nan_at or not self._nan_at else [np.nan] * 2
        observation = {"position": np.asarray(value, np.float32)}
        if self._posed:
            observation["pose"] = np.array([*value, 0.0, 0.0, 0.0, 0.0, 1.0], np.float32)
        return observation


class Demonstrator:
    """Half speed, with noise."""

    def __init__(self, environment, seed):
        self._rng = np.random.default_rng(seed)

    def reset(self):
        pass

    def __call__(self, observation):
        towards = -observation["position"] / STEP
        return 0.5 * towards / max(1.0, np.abs(towards).max()) + self._rng.normal(0.0, 0.2, 2)


gym.register("Reach-v0", entry_point="reach:Reach", max_episode_steps=30)
