"""The way back to where an episode starts: up, over, and down.

A straight lift, a move at that height with the rotation in it, and a straight descent where the
goal is lower: out of a socket or a bin first, then over its walls. Each is a straight line from
rest to rest. Poses are (7,): position (m), quaternion x-y-z-w; base frame, whose z points up.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

Stroke = tuple[np.ndarray, np.ndarray]  # poses: from, to
PERIOD_S = 0.1  # between two way-points
PEAK = 15.0 / 8.0  # peak speed of a minimum-jerk move over its mean
# The law's gains on the way, for exact moves in free space: config/gains/precision.yaml.
PRECISION = {
    "stiffness": (3000.0, 3000.0, 3000.0, 150.0, 150.0, 150.0),
    "damping": (89.0, 89.0, 89.0, 9.0, 9.0, 9.0),
    "clip_positive": (0.01, 0.01, 0.01, 0.1, 0.1, 0.1),
    "clip_negative": (0.01, 0.01, 0.01, 0.1, 0.1, 0.1),
}


def plan_path(
    start: np.ndarray,
    goal: np.ndarray,
    lift: float,
    linear_speed: float,
    angular_speed: float,
    strokes: Sequence[Stroke] = (),
) -> np.ndarray:
    """Way-points (n, 8) from `start` to `goal`: time (s, from 0.1 s on) and pose.

    The tool first rises by `lift` (m), or more where the goal is higher. It is never faster than
    `linear_speed` (m/s) and `angular_speed` (rad/s). The last pose is the goal. On the way it makes
    `strokes`: up, over and down to the first pose of each, and straight to the second.
    """
    corners = [start]
    for begin, end in strokes:
        corners += [*_over(corners[-1], begin, lift), begin, end]
    corners += [*_over(corners[-1], goal, lift), goal]
    poses = np.concatenate(
        [_line(*ends, linear_speed, angular_speed) for ends in pairwise(corners)]
    )
    times = PERIOD_S * np.arange(1, len(poses) + 1)
    return np.column_stack([times, poses])


def _over(start: np.ndarray, goal: np.ndarray, lift: float) -> tuple[np.ndarray, np.ndarray]:
    """Poses above both, at one height."""
    above_start, above_goal = start.copy(), goal.copy()
    above_start[2] = above_goal[2] = max(start[2] + lift, goal[2])
    return above_start, above_goal


def _line(
    start: np.ndarray, goal: np.ndarray, linear_speed: float, angular_speed: float
) -> np.ndarray:
    """Poses (n, 7) that follow `start` on the way to `goal`; none where that is `start`."""
    rotation = Rotation.from_quat(start[3:])
    # One rotation about a fixed axis of the base, by at most half a turn: the short way round.
    turn = (Rotation.from_quat(goal[3:]) * rotation.inv()).as_rotvec()
    distance, angle = np.linalg.norm(goal[:3] - start[:3]), np.linalg.norm(turn)
    duration_s = PEAK * max(distance / linear_speed, angle / angular_speed)
    count = int(np.ceil(duration_s / PERIOD_S))
    if count == 0:
        return np.empty((0, 7))
    share = minimum_jerk(np.arange(1, count + 1) / count)[:, None]
    positions = (1.0 - share) * start[:3] + share * goal[:3]
    rotations = Rotation.from_rotvec(share * turn) * rotation
    return np.column_stack([positions, rotations.as_quat()])


def minimum_jerk(time: np.ndarray) -> np.ndarray:
    """Share of the way after a share of the time, both in [0, 1]; at rest at both ends."""
    return time**3 * (10.0 - 15.0 * time + 6.0 * time**2)
