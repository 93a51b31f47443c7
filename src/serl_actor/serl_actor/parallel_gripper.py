"""A gripper whose opening one joint tells, and the action that moves it."""

from dataclasses import dataclass

import numpy as np

from serl_learner.config import expect

ACTIONS = ("control_msgs/action/ParallelGripperCommand", "control_msgs/action/GripperCommand")


@dataclass(frozen=True)
class ParallelGripper:
    """Positions are of `joint`, in its unit (m or rad)."""

    action: str = ""  # its name, from the gripper node's namespace
    action_type: str = ACTIONS[0]
    joint: str = ""
    joint_states: str = "joint_states"  # topic that tells its position
    closed: float = 0.0
    opened: float = 0.04
    max_effort: float = 0.0  # N or Nm, asked for with each goal; 0: the gripper's own

    def __post_init__(self) -> None:
        expect(self.action, "action", "a name", "none")
        expect(self.joint, "joint", "a name", "none")
        known = " or ".join(ACTIONS)
        expect(self.action_type in ACTIONS, "action_type", known, self.action_type)
        expect(self.closed != self.opened, "opened", "another position than closed", self.opened)
        expect(self.max_effort >= 0.0, "max_effort", "at least 0", self.max_effort)

    def position(self, opening: float) -> float:
        """Of the joint, at an opening from 0, closed, to 1; beyond them at the nearer one."""
        return self.closed + float(np.clip(opening, 0.0, 1.0)) * (self.opened - self.closed)

    def opening(self, position: float) -> float:
        """From 0, closed, to 1."""
        return float(np.clip((position - self.closed) / (self.opened - self.closed), 0.0, 1.0))
