"""Where the bodies of a simulation are."""

import mujoco
import numpy as np

from .geometry import to_xyzw


def body_poses(model: mujoco.MjModel, data: mujoco.MjData) -> dict[str, np.ndarray]:
    """By name, (7,): position (m) and quaternion (xyzw) in the base frame, which is the world's."""
    bodies = range(1, model.nbody)  # without the world
    return {
        model.body(i).name: np.concatenate([data.xpos[i], to_xyzw(data.xquat[i])]) for i in bodies
    }
