"""What cameras tell of an object's place, as a measured position would tell it."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from serl_learner.config import ConfigError
from serl_learner.locator import load_locator
from serl_learner.transition import Observation


class Located(gym.ObservationWrapper):
    """Adds `object_position` (3,), m, base frame: where a locator sees what is to be taken."""

    def __init__(self, env: gym.Env, file: str):
        """`file`: of `serl locator train`, for cameras of this environment."""
        super().__init__(env)
        self._locator = load_locator(file)
        below = env.observation_space.spaces
        spec = self._locator.spec
        for name, shape in [(name, (size,)) for name, size in spec.vectors] + list(spec.images):
            if name not in below or below[name].shape != shape:
                raise ConfigError(
                    f"environment.locator: {file}: expected an observation '{name}' of shape"
                    f" {shape}, got {', '.join(f'{k} {v.shape}' for k, v in below.items())}"
                )
        position = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.observation_space = spaces.Dict([*below.items(), ("object_position", position)])

    def observation(self, observation: Observation) -> Observation:
        return observation | {"object_position": self._locator.look(observation)}
