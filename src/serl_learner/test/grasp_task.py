"""The toy task with a gripper: the point is to be at the origin when the gripper closes."""

import numpy as np
from point_task import STEP, PointActor

PENALTY = -0.02  # of each movement of the gripper


class GraspActor(PointActor):
    """As PointActor, with actions (3,); the gripper begins open or closed."""

    def _begin(self) -> None:
        self.position = self.rng.uniform(-0.5, 0.5, 2).astype(np.float32)
        self.opening = np.array([self.rng.integers(2)], np.float32)

    def _observation(self) -> dict[str, np.ndarray]:
        return {"position": self.position, "gripper": self.opening}

    def _move(self, action: np.ndarray) -> tuple[bool, float]:
        there, _ = super()._move(action[:2])
        asked = action[2] >= 0.5 if abs(action[2]) >= 0.5 else self.opening[0]
        moves, self.opening = asked != self.opening[0], np.array([asked], np.float32)
        return bool(there and moves and not asked), PENALTY if moves else 0.0


def grasping(rng: np.random.Generator):
    """A clumsy expert: opens, goes there at half speed with noise, closes where it may be there."""

    def choose(observation):
        towards = -observation["position"] / STEP
        distance = np.abs(towards).max()
        go = 0.5 * towards / max(1.0, distance) + rng.normal(0.0, 0.2, 2)
        if observation["gripper"][0] < 0.5:
            return [*go, 1.0]
        return [*go, -1.0 if distance < 1.0 else 0.0]

    return choose
