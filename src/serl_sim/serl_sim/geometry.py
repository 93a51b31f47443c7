"""Poses: position in metres and unit quaternion x-y-z-w; rotation vectors in radians."""

import numpy as np
from scipy.spatial.transform import Rotation


def to_wxyz(quat_xyzw) -> np.ndarray:  # (4,)
    """The one place where MuJoCo's quaternion order (w-x-y-z) meets ours (x-y-z-w)."""
    return np.roll(quat_xyzw, 1)


def canonical(quat_xyzw: np.ndarray) -> np.ndarray:  # (4,)
    """Of the two quaternions of a rotation, the one whose largest element is positive.

    Not the one with w >= 0: a tool that points down has w near 0, where noise would flip the sign.
    """
    return quat_xyzw * np.sign(quat_xyzw[np.argmax(np.abs(quat_xyzw))])


def clip_rotation(rotation: Rotation, center: Rotation, low_rpy, high_rpy) -> Rotation:
    """Limits roll, pitch and yaw (about fixed base axes) of `rotation` relative to `center`."""
    relative = (rotation * center.inv()).as_euler("xyz")
    return Rotation.from_euler("xyz", np.clip(relative, low_rpy, high_rpy)) * center
