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
        self.observation_space = _with(env, "object_position", position)

    def observation(self, observation: Observation) -> Observation:
        return observation | {"object_position": self._locator.look(observation)}


class BasePose(gym.ObservationWrapper):
    """Adds `base_pose` (7,): the tool's pose in the base frame, which it stays."""

    def __init__(self, env: gym.Env):
        super().__init__(env)
        pose = env.observation_space.spaces["pose"]
        self.observation_space = _with(env, "base_pose", pose)

    def observation(self, observation: Observation) -> Observation:
        return observation | {"base_pose": observation["pose"].copy()}


def has_tool_pose(env: gym.Env) -> bool:
    pose = env.observation_space.spaces.get("pose")
    return pose is not None and pose.shape == (7,)


def _with(env: gym.Env, name: str, space: spaces.Box) -> spaces.Dict:
    """The environment's observations, in their order, and one more."""
    return spaces.Dict([*env.observation_space.spaces.items(), (name, space)])
