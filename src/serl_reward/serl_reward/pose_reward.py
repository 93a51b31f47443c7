"""Sparse reward from the tool's pose: is it where the task ends?"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from serl_learner.config import ConfigError
from serl_learner.reward import Judgement, Step


@dataclass(frozen=True)
class PoseRewardConfig:
    """Target of the tool frame, base frame. The tolerance on rotation is on its whole angle."""

    position: tuple[float, ...]  # (3,) m
    quaternion_xyzw: tuple[float, ...]  # (4,) normalised where it is used
    position_tolerance: tuple[float, ...] = (0.003, 0.003, 0.001)  # (3,) m, along the base axes
    rotation_tolerance: float = 0.1  # rad

    def __post_init__(self) -> None:
        for name, size in {"position": 3, "quaternion_xyzw": 4, "position_tolerance": 3}.items():
            value = getattr(self, name)
            if len(value) != size or not np.isfinite(value).all():
                raise ConfigError(f"{name}: expected {size} finite numbers, got {list(value)}")
        if not 0.5 < np.linalg.norm(self.quaternion_xyzw) < 2.0:
            raise ConfigError(
                f"quaternion_xyzw: expected unit length, got {list(self.quaternion_xyzw)}"
            )
        if min(self.position_tolerance) <= 0.0 or not self.rotation_tolerance > 0.0:
            raise ConfigError(
                "position_tolerance, rotation_tolerance: expected above 0, got "
                f"{list(self.position_tolerance)}, {self.rotation_tolerance}"
            )


class PoseReward:
    """1 where the tool is within tolerance of the target, otherwise 0.

    Position counts along the base axes, which for a task mounted square to the robot are its own.
    Rotation counts as the angle of the one rotation between both frames: unlike a comparison of
    Euler angles it knows the sign of yaw, and does not jump at +-pi.
    """

    def __init__(self, config: PoseRewardConfig):
        self._position = np.array(config.position)
        self._to_target = Rotation.from_quat(config.quaternion_xyzw).inv()
        self._position_tolerance = np.array(config.position_tolerance)
        self._rotation_tolerance = config.rotation_tolerance

    def __call__(self, step: Step) -> Judgement:
        """Judges the tool's `pose` (7,): position (m) and quaternion x-y-z-w, base frame."""
        pose = step.observation.get("pose", ())
        if np.shape(pose) != (7,) or not np.isfinite(pose).all():
            raise ValueError(f"pose: expected 7 finite numbers, got {np.asarray(pose).tolist()}")
        offset = np.abs(pose[:3] - self._position)
        angle = (self._to_target * Rotation.from_quat(pose[3:])).magnitude()  # in [0, pi]
        success = bool(
            (offset < self._position_tolerance).all() and angle < self._rotation_tolerance
        )
        return Judgement(float(success), success, float(success))
