"""Two agents and one point on a line: left drives it to the left end, right to the right one."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

STEP = 0.2  # distance of a full action
ENDS = {"left": -0.5, "right": 0.5}  # of the line; what lies beyond is an agent's goal


class Shuttle(gym.Env):
    """The third reset without a teleport finds the point outside, and puts it back."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode=None, agent="left"):
        position, pose = (spaces.Box(-1.0, 1.0, (size,), np.float32) for size in (1, 7))
        self.observation_space = spaces.Dict({"position": position, "pose": pose})
        self.action_space = position
        self.agent = agent
        self._resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if options is None:
            self.position = self.np_random.uniform(-0.3, 0.3)
            return self._observe(), {"solved": self._solved()}
        self.agent = options["agent"] or self.agent
        self._resets += 1
        rescued = self._resets == 3
        if rescued:
            self.position = 0.0
        return self._observe(), {"solved": self._solved(), "rescued": rescued}

    def step(self, action):
        self.position = np.clip(self.position + STEP * float(action[0]), -1.0, 1.0)
        success = self.agent in self._solved()
        return self._observe(), float(success), success, False, {"success": success}

    def _solved(self):
        return tuple(name for name, end in ENDS.items() if self.position / end >= 1.0)

    def _observe(self):
        pose = np.array([self.position, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], np.float32)
        return {"position": pose[:1], "pose": pose}


class Demonstrator:
    """Half speed, with noise."""

    def __init__(self, environment, seed):
        self._direction = np.sign(ENDS[environment.agent])
        self._rng = np.random.default_rng(seed)

    def __call__(self, observation):
        return self._rng.normal(0.5 * self._direction, 0.2, 1)


gym.register("Shuttle-v0", entry_point="shuttle:Shuttle", max_episode_steps=25)
