"""The parallel gripper: two fingers that move as one, closed and opened by one motor."""

import mujoco
import numpy as np

from .arms import FINGER_JOINTS, MAX_GRIP_WIDTH

ACTUATOR = "gripper"
FORCE = 20.0  # N, of each finger at most
_STIFFNESS, _DAMPING = 2000.0, 60.0  # N/m, Ns/m, of the motor's position control
_ARMATURE = 0.15  # kg, the motor's inertia seen at a finger: from open to closed takes 0.2 s
# Rubber pads: what is pinched neither slips nor turns. Per contact: sliding, torsional, rolling.
PAD_FRICTION = [1.2, 0.02, 0.0001]


def add_gripper_motor(spec: mujoco.MjSpec) -> None:
    """To be added to an arm whose fingers slide (`arm_urdf` with nothing held)."""
    for equality in list(spec.equalities):  # a URDF's mimic, which newer MuJoCo reads
        spec.delete(equality)
    tendon = spec.add_tendon(name=ACTUATOR)
    for name in FINGER_JOINTS:
        joint = spec.joint(name)
        joint.armature = _ARMATURE
        tendon.wrap_joint(name, 0.5)
    mimic = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=FINGER_JOINTS[0],
        name2=FINGER_JOINTS[1],
        solref=[0.005, 1.0],
    )
    mimic.data[:5] = [0.0, 1.0, 0.0, 0.0, 0.0]  # a polynomial: the same
    motor = spec.add_actuator(
        name=ACTUATOR, target=ACTUATOR, trntype=mujoco.mjtTrn.mjTRN_TENDON, forcelimited=True
    )
    motor.set_to_position(kp=_STIFFNESS, kv=_DAMPING)
    motor.forcerange = [-2 * FORCE, 2 * FORCE]


class Gripper:
    """Opening 0 (closed) to 1 (open): commanded and measured."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData):
        self._command = data.ctrl[model.actuator(ACTUATOR).id :][:1]  # m, a view
        first = model.joint(FINGER_JOINTS[0]).qposadr[0]
        self._fingers = data.qpos[first : first + len(FINGER_JOINTS)]  # m, a view

    def command(self, opening: float) -> None:
        self._command[:] = np.clip(opening, 0.0, 1.0) * MAX_GRIP_WIDTH / 2

    def place(self, opening: float) -> None:
        """There at once, for a start."""
        self.command(opening)
        self._fingers[:] = self._command

    @property
    def opening(self) -> float:
        return float(np.clip(self._fingers.sum() / MAX_GRIP_WIDTH, 0.0, 1.0))
