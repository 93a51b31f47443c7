"""Poses: position in metres and unit quaternion x-y-z-w; rotation vectors in radians."""

import numpy as np
from scipy.spatial.transform import Rotation


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


def clip_rotation(rotation: Rotation, center: Rotation, low_rpy, high_rpy) -> Rotation:
    """Limits roll, pitch and yaw (about fixed base axes) of `rotation` relative to `center`."""
    relative = (rotation * center.inv()).as_euler("xyz")
    return Rotation.from_euler("xyz", np.clip(relative, low_rpy, high_rpy)) * center


def keep_out(start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The end (3,) of the way from `start`, outside of the box between two corners.

    Where the way would enter the box, it goes on along the face. A start within, where a compliant
    robot may have been pushed, counts as one on the nearest face.
    """
    inside = (low < start) & (start < high)
    if inside.all():
        depth = np.concatenate([start - low, high - start])
        axis = np.argmin(depth) % 3
        start = start.copy()
        start[axis] = (low if depth[axis] < depth[axis + 3] else high)[axis]
        inside[axis] = False
    direction = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        to_low, to_high = (low - start) / direction, (high - start) / direction
    moves = direction != 0.0
    enters = np.where(moves, np.minimum(to_low, to_high), np.where(inside, -np.inf, np.inf))
    leaves = np.where(moves, np.maximum(to_low, to_high), np.where(inside, np.inf, -np.inf))
    axis = np.argmax(enters)
    if not 0.0 <= enters[axis] < min(leaves.min(), 1.0):
        return end
    end = end.copy()
    end[axis] = (low if direction[axis] > 0.0 else high)[axis]
    return end
