"""Cartesian impedance control with a clipped reference (SERL, section 4.5), in C++.

The same law runs here, inside a simulator's 1 kHz loop, and under ros2_control on a robot.
SI units, radians, base frame, quaternions x-y-z-w. Rotation errors are rotation vectors.
"""

from ._core import (
    ControllerState,
    Gains,
    Guards,
    ImpedanceController,
    Reason,
    RobotModel,
    SerlController,
)

__all__ = [
    "ControllerState",
    "Gains",
    "Guards",
    "ImpedanceController",
    "Reason",
    "RobotModel",
    "SerlController",
]
