"""A demonstrator of the simulation shows a robot over topics what to do."""

from types import SimpleNamespace

import gymnasium as gym
import numpy as np
from scipy.spatial.transform import Rotation

from serl_actor.environment import EnvironmentConfig, demonstrator_of
from serl_actor.intervention import Device

from .insertion_env import InsertionEnv
from .robot import Pose


def is_shown_over_topics(world: EnvironmentConfig) -> bool:
    """Whether all that its demonstrator has to know is where things are that nothing moves."""
    return isinstance(_make(world), InsertionEnv)


class Twin:
    """The demonstrator of a world, who sees the arm where the robot says that it is.

    Its actions, (6,), are in the base frame, as are the poses that it observes.
    """

    def __init__(self, world: EnvironmentConfig, seed: int):
        env = _make(world)
        self._arm = env.robot = SimpleNamespace(pose=env.goal)  # nothing is simulated here
        self._demonstrator: Device = demonstrator_of(world, seed)(env)
        self.reset = self._demonstrator.reset

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        pose = observation["pose"].astype(float)
        self._arm.pose = Pose(pose[:3], Rotation.from_quat(pose[3:]))
        return self._demonstrator(observation)


def _make(world: EnvironmentConfig) -> gym.Env:
    arguments = world.arguments | {"observations": "state"}
    return gym.make(world.id, disable_env_checker=True, **arguments).unwrapped
