"""Where an action sends the tool: a small step from where it is, within a box."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation


class Workspace:
    """Bounds of the commanded pose, base frame: x, y, z in m, then roll, pitch, yaw in rad.

    They are relative to a centre, rotations about the fixed axes of the base.
    """

    def __init__(
        self,
        position: np.ndarray,
        rotation: Rotation,
        low: Sequence[float],
        high: Sequence[float],
        action_scale: tuple[float, float],
        keep_out: tuple[Sequence[float], Sequence[float]] | None = None,
    ):
        """`position` (3,) m and `rotation`: the centre. `action_scale`: m, rad of a full action.

        `keep_out`: two corners, (3,) m, of a box that is not entered, relative to the centre.
        """
        self._position, self._rotation = position, rotation
        self._low, self._high = np.array(low), np.array(high)
        self._scale = action_scale
        self._keep_out = None if keep_out is None else position + np.array(keep_out)  # (2, 3)

    def target(
        self, position: np.ndarray, rotation: Rotation, action: np.ndarray
    ) -> tuple[np.ndarray, Rotation]:
        """The measured pose moved by an action (6,), base frame, and kept in the box."""
        action = np.asarray(action, dtype=float)
        meters, radians = self._scale
        moved = position + meters * _bounded(action[:3])
        turned = Rotation.from_rotvec(radians * _bounded(action[3:6])) * rotation
        relative = (turned * self._rotation.inv()).as_euler("xyz")
        kept = np.clip(relative, self._low[3:], self._high[3:])
        low, high = self._position + self._low[:3], self._position + self._high[:3]
        within = np.clip(moved, low, high)
        if self._keep_out is not None:
            within = keep_out(position, within, *self._keep_out)
        return within, Rotation.from_euler("xyz", kept) * self._rotation


def _bounded(block: np.ndarray) -> np.ndarray:  # (3,)
    """At most as long as the diagonal of the unit box, whatever its direction.

    A policy acts within the unit box of the tool's frame. Bounding each element here, in the base
    frame, would bend its longer actions by an angle that it cannot see.
    """
    return block * min(1.0, np.sqrt(3.0) / max(np.linalg.norm(block), 1e-9))


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
