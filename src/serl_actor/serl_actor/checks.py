"""What every environment looks like to the actor: one form of observation, nothing broken."""

from typing import NoReturn

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from serl_learner.config import ConfigError
from serl_learner.transition import Observation


class CheckedEnvironment(gym.Wrapper):
    """Gives observations as dicts of float32 vectors (n,) and uint8 images (H, W, 3).

    The keys have the order of the observation space; a plain Box becomes "state", or "image".
    Arrays are copies, since an environment may reuse its own. A non-finite or mis-shaped
    observation, reward, penalty or action raises ConfigError with one line.
    """

    def __init__(self, env: gym.Env, name: str):
        super().__init__(env)
        self._name = name
        self._plain = not isinstance(env.observation_space, spaces.Dict)
        self._entries = _entries(env.observation_space, name)
        # Pairs, not a dict: spaces.Dict would sort a dict's keys.
        self.observation_space = spaces.Dict([(k, _converted(s)) for k, s in self._entries.items()])
        self._step = 0

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._step = 0
        observation, info = self.env.reset(seed=seed, options=options)
        return self._observation(observation), info

    def step(self, action):
        self._step += 1
        action = np.asarray(action)
        if action.shape != self.action_space.shape:
            self._refuse(f"action: expected shape {self.action_space.shape}, got {action.shape}")
        if not np.isfinite(action).all():
            self._refuse(f"action is not finite: {action.tolist()}")
        observation, reward, terminated, truncated, info = self.env.step(action)
        if not np.isfinite(reward):
            self._refuse(f"reward is not finite: {reward}")
        if not np.isfinite(penalty := info.get("grasp_penalty", 0.0)):
            self._refuse(f"grasp_penalty is not finite: {penalty}")
        observation = self._observation(observation)
        return observation, float(reward), bool(terminated), bool(truncated), info

    def _observation(self, observation) -> Observation:
        if self._plain:
            observation = dict.fromkeys(self._entries, observation)
        converted = {}
        for key, space in self._entries.items():
            if key not in observation:
                self._refuse(f"observation '{key}' is missing, got {', '.join(observation)}")
            value = np.asarray(observation[key])
            if value.shape != space.shape:
                self._refuse(
                    f"observation '{key}': expected shape {space.shape}, got {value.shape}"
                )
            if is_image(space):
                if value.dtype != np.uint8:
                    self._refuse(f"observation '{key}': expected uint8, got {value.dtype}")
                converted[key] = value.copy()
                continue
            converted[key] = np.array(value, dtype=np.float32).reshape(-1)
            if not np.isfinite(converted[key]).all():
                self._refuse(f"observation '{key}' is not finite: {converted[key].tolist()}")
        return converted

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(f"environment {self._name}, step {self._step}: {what}")


def _entries(space: spaces.Space, name: str) -> dict[str, spaces.Box]:
    """The named boxes of an observation space, in its order."""
    where = f"environment {name}: observation"
    if isinstance(space, spaces.Box):
        entries = {"image" if is_image(space) else "state": space}
    elif isinstance(space, spaces.Dict):
        entries = dict(space.items())
    else:
        raise ConfigError(f"{where}: expected a Box or a Dict of Boxes, got {space}")
    for key, entry in entries.items():
        if not isinstance(entry, spaces.Box):
            raise ConfigError(f"{where} '{key}': expected a Box, got {entry}")
        if 0 in entry.shape:
            raise ConfigError(f"{where} '{key}': expected 1 or more elements, got {entry.shape}")
        if is_image(entry) and entry.shape[-1] != 3:
            raise ConfigError(f"{where} '{key}': expected an image (H, W, 3), got {entry.shape}")
    return entries


def is_image(space: spaces.Box) -> bool:
    return len(space.shape) == 3 and space.dtype == np.uint8


def _converted(space: spaces.Box) -> spaces.Box:
    if is_image(space):
        return space
    return spaces.Box(-np.inf, np.inf, (int(np.prod(space.shape)),), np.float32)
