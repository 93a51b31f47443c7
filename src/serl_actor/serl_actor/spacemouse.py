"""A SpaceMouse of 3Dconnexion, over USB: its first two buttons close and open the gripper."""

import numpy as np

from serl_actor.faults import Fault
from serl_actor.teleoperation import Command
from serl_learner.config import ConfigError

AXES = ("x", "y", "z", "roll", "pitch", "yaw")
MOST_REPORTS = 100  # between two steps; it sends about 60 a second, of translation and of rotation


class SpaceMouse:
    """The first one found. Raises ConfigError where there is none."""

    def __init__(self) -> None:
        try:
            self._open()
        except Fault as fault:
            raise ConfigError(str(fault)) from None

    def read(self) -> Command:
        """Its newest state. Raises Fault where it was pulled out; plugged in again it works on."""
        if self._mouse is None:
            self._open()
        try:
            state = self._newest()
        except Exception as error:  # of easyhid, whose base class is Exception
            self.close()
            raise Fault(f"SpaceMouse: expected it plugged in, got: {_one_line(error)}") from None
        closes, opens = state.buttons[:2]
        twist = np.array([getattr(state, axis) for axis in AXES], np.float64)
        return Command(np.clip(twist, -1.0, 1.0), float(opens) - float(closes))

    def close(self) -> None:
        if self._mouse is not None:
            self._mouse.close()
        self._mouse = None

    def _open(self) -> None:
        self._mouse = None
        try:
            import pyspacemouse
        except ImportError:
            raise Fault("SpaceMouse: expected the package pyspacemouse, not installed") from None
        try:
            self._mouse = pyspacemouse.open(axis_convention=pyspacemouse.AxisConvention.ROS)
        except Exception as error:  # RuntimeError, ValueError, or easyhid's own
            raise Fault(f"SpaceMouse: expected one plugged in, got: {_one_line(error)}") from None

    def _newest(self):
        """Each read takes one report of those that have come since the last one."""
        state = self._mouse.read()
        for _ in range(MOST_REPORTS):
            before = state.t
            state = self._mouse.read()
            if state.t == before:
                break
        return state


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
