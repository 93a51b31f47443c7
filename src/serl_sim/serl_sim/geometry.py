"""Poses: position in metres and unit quaternion x-y-z-w; rotation vectors in radians."""

import numpy as np


def to_wxyz(quat_xyzw) -> np.ndarray:  # (4,)
    """Here, and below, MuJoCo's quaternion order (w-x-y-z) meets ours (x-y-z-w)."""
    return np.roll(quat_xyzw, 1)


def to_xyzw(quat_wxyz) -> np.ndarray:  # (4,)
    return np.roll(quat_wxyz, -1)


def canonical(quat_xyzw: np.ndarray) -> np.ndarray:  # (4,)
    """Of the two quaternions of a rotation, the one whose largest element is positive.

    Not the one with w >= 0: a tool that points down has w near 0, where noise would flip the sign.
    """
    return quat_xyzw * np.sign(quat_xyzw[np.argmax(np.abs(quat_xyzw))])
