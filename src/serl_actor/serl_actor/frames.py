"""Rigid-body frames on plain arrays.

A pose is (7,): position (m), then a quaternion x-y-z-w, normalised where it is used. `pose_ab` is
frame b seen from frame a. This runs in every control step and is written out on floats, which is
several times faster than `scipy.spatial.transform`.
"""

import math

import numpy as np


def rotation_matrix(quaternion: np.ndarray) -> np.ndarray:
    """(3, 3) matrix of a quaternion x-y-z-w."""
    x, y, z, w = _unit(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def rotation_vector(quaternion: np.ndarray) -> np.ndarray:
    """(3,) axis times angle (rad) of a quaternion x-y-z-w, the angle in [0, pi]."""
    x, y, z, w = _unit(quaternion)
    if w < 0.0:  # q and -q are the same rotation; this one is the shorter way round
        x, y, z, w = -x, -y, -z, -w
    sine = math.sqrt(x * x + y * y + z * z)  # of half the angle
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-9 else 2.0
    return np.array([x * scale, y * scale, z * scale])


def position_seen_from(pose_ab: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(3,) seen from b, of a position (3,) seen from a."""
    return rotation_matrix(pose_ab[3:]).T @ (position - pose_ab[:3])


def relative(pose_ab: np.ndarray, pose_ac: np.ndarray) -> np.ndarray:
    """Pose (7,) of c seen from b, of two poses seen from a."""
    x, y, z, w = _unit(pose_ab[3:])
    position = position_seen_from(pose_ab, pose_ac[:3])
    return np.concatenate([position, _multiply((-x, -y, -z, w), pose_ac[3:])])


def pose_vector(pose: np.ndarray) -> np.ndarray:
    """(6,): position (m) and rotation vector (rad) of a pose (7,)."""
    return np.concatenate([pose[:3], rotation_vector(pose[3:])])


def rotate_blocks(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """block-diag(R, R) on a linear and an angular part (6,); elements after these pass.

    This is how a displacement or a velocity of one point changes axes. The adjoint map of a spatial
    twist has a further term p x R, which would turn a pure translation into a rotation.
    """
    rotated = np.array(vector, dtype=np.float64)
    rotated[:6] = (rotated[:6].reshape(2, 3) @ rotation.T).ravel()
    return rotated


def _unit(quaternion) -> tuple[float, float, float, float]:
    x, y, z, w = np.asarray(quaternion, dtype=np.float64).tolist()
    norm = math.sqrt(x * x + y * y + z * z + w * w)
    return x / norm, y / norm, z / norm, w / norm


def _multiply(a, b) -> np.ndarray:
    ax, ay, az, aw = _unit(a)
    bx, by, bz, bw = _unit(b)
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )
