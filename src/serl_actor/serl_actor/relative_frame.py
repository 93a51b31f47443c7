"""Relative observations and actions (SERL, section 4.6): the policy works from the tool's view."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from serl_actor import frames
from serl_learner.config import ConfigError
from serl_learner.transition import Observation

POSES = ("socket_pose", "object_pose", "start_pose")  # as the tool sees them
# What is transformed, in the base frame, and its size.
SIZES = {"pose": 7, "twist": 6, "object_position": 3} | dict.fromkeys(POSES, 7)


class RelativeFrame(gym.Wrapper):
    """Expresses what the policy sees and does relative to the tool, wherever the task stands.

    Observations of the wrapped environment are in the base frame. This one's are
      pose         (6,) position (m), rotation vector (rad), in the tool frame of the reset
      twist        (6,) in the axes of the current tool frame
      socket_pose, object_pose, start_pose
                   (6,) position (m), rotation vector (rad), in the current tool frame
      object_position
                   (3,) m, in the current tool frame
    and everything else passes: force and torque are in the tool frame already.

    Actions are a translation and a rotation vector in the axes of the current tool frame, that of
    the observation they were chosen from; a seventh element (gripper) passes. An intervention comes
    back in the same axes, in `info["intervene_action"]`. Rotated into the base frame, an element of
    an action may exceed 1; the wrapped environment bounds it.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        below = env.observation_space.spaces
        if "pose" not in below:
            raise ConfigError(
                f"relative_frame: expected an observation 'pose', got {', '.join(below)}"
            )
        for key, size in SIZES.items():
            if key in below and below[key].shape != (size,):
                raise ConfigError(
                    f"relative_frame: observation '{key}': expected {size} elements, "
                    f"got shape {below[key].shape}"
                )
        if env.action_space.shape not in ((6,), (7,)):
            raise ConfigError(
                f"relative_frame: action: expected 6 or 7 elements, got {env.action_space.shape}"
            )
        vector = spaces.Box(-np.inf, np.inf, (6,), np.float32)
        self.observation_space = spaces.Dict(
            [(key, vector if SIZES.get(key, 0) >= 6 else space) for key, space in below.items()]
        )
        self._reset_pose = np.zeros(7)  # tool at the reset, base frame
        self._rotation = np.eye(3)  # from the current tool frame to the base frame

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        self._reset_pose = observation["pose"].astype(np.float64)
        return self._relative(observation), info

    def step(self, action):
        rotation = self._rotation  # of the observation that the policy acted on
        base_action = frames.rotate_blocks(rotation, action)
        observation, reward, terminated, truncated, info = self.env.step(base_action)
        if "intervene_action" in info:
            info["intervene_action"] = frames.rotate_blocks(rotation.T, info["intervene_action"])
        return self._relative(observation), reward, terminated, truncated, info

    def _relative(self, observation: Observation) -> Observation:
        pose = observation["pose"].astype(np.float64)
        self._rotation = frames.rotation_matrix(pose[3:])
        seen = {"pose": frames.pose_vector(frames.relative(self._reset_pose, pose))}
        if "twist" in observation:
            seen["twist"] = frames.rotate_blocks(self._rotation.T, observation["twist"])
        if "object_position" in observation:
            seen["object_position"] = frames.position_seen_from(
                pose, observation["object_position"]
            )
        for name in POSES:
            if name in observation:
                seen[name] = frames.pose_vector(frames.relative(pose, observation[name]))
        return observation | {key: value.astype(np.float32) for key, value in seen.items()}
