"""A person at a device takes over from the policy whenever the device is moved."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from serl_actor.gripper import SIZE as WITH_GRIPPER
from serl_actor.intervention import InterventionConfig
from serl_learner.config import expect
from serl_learner.transition import Observation


@dataclass(frozen=True)
class Command:
    """What a device says now, at rest all zeros.

    `twist` (6,) in [-1, 1]: translation and rotation as shares of the largest, x away from the
    person, y to the left, z up (REP 103). `gripper` -1 closes, 1 opens, 0 leaves it as it is.
    """

    twist: np.ndarray
    gripper: float = 0.0


class Source(Protocol):
    """A device. It is asked once per step, from one thread."""

    def read(self) -> Command: ...  # raises Fault where the device is gone

    def close(self) -> None: ...


class Teleoperation:
    """The device of an Intervention: an action while the person moves it, None while at rest.

    The person stands so that their x axis is the base frame's turned by `yaw` about z. Within the
    dead zone an axis is at rest; beyond it its value grows from 0 up to `scale`, the share of a
    full action at full deflection.
    """

    def __init__(self, source: Source, config: InterventionConfig, action_size: int):
        sizes = WITH_GRIPPER - 1, WITH_GRIPPER
        wanted = f"{sizes[0]} or {sizes[1]} actions, to be steered by hand"
        expect(action_size in sizes, "intervention.device", wanted, action_size)
        self._source = source
        self._turn = Rotation.from_euler("z", config.yaw)
        self._dead_zone = config.dead_zone
        self._scale = np.repeat(config.scale, 3)
        self._action_size = action_size

    def reset(self) -> None:
        """Raises Fault where the device is gone: no episode begins without it."""
        self._source.read()

    def __call__(self, observation: Observation) -> np.ndarray | None:
        """An action (action_size,), or None where the device is at rest. Raises Fault."""
        command = self._source.read()
        size = np.clip((np.abs(command.twist) - self._dead_zone) / (1.0 - self._dead_zone), 0, 1)
        if not size.any() and command.gripper == 0.0:
            return None
        twist = self._scale * np.sign(command.twist) * size
        moved = np.concatenate([self._turn.apply(twist[:3]), self._turn.apply(twist[3:])])
        return np.append(moved, command.gripper)[: self._action_size]
