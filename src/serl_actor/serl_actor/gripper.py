"""A price for each change of the gripper (SERL, section 4.3), so that it is used on purpose."""

import gymnasium as gym
import numpy as np

from serl_learner.config import expect

SIZE = 7  # of an action: the last element is the gripper's
CLOSE, OPEN = -0.5, 0.5  # that element closes up to the first and opens from the second on
OPENED = 0.6  # opening from which nothing is held: an object keeps the fingers half apart


class GripperPenalty(gym.Wrapper):
    """`info["grasp_penalty"]` is -`penalty` where an action's command is not the one before.

    Which command was the last is remembered, and not measured at each step: fingers that are on
    their way, or on an object, are neither open nor closed. At a reset, the observation "gripper"
    (1,), 0 closed to 1 open, stands for it.
    """

    def __init__(self, env: gym.Env, penalty: float):
        super().__init__(env)
        size, seen = env.action_space.shape, env.observation_space.spaces
        expect(size == (SIZE,), "gripper_penalty: action", f"{SIZE} elements", f"shape {size}")
        expect("gripper" in seen, "gripper_penalty", "an observation 'gripper'", ", ".join(seen))
        self._penalty = penalty
        self._opened = True  # by the last command

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        self._opened = bool(observation["gripper"][0] > OPENED)
        return observation, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        before, self._opened = self._opened, _opens(action, self._opened)
        info["grasp_penalty"] = -self._penalty if self._opened != before else 0.0
        return observation, reward, terminated, truncated, info


def _opens(action: np.ndarray, opened: bool) -> bool:
    """What is commanded after the action, where `opened` was before it."""
    command = action[SIZE - 1]
    return bool(command >= OPEN or (opened and command > CLOSE))
