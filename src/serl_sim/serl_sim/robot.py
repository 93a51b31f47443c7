"""The simulated robot: the arm in MuJoCo and the impedance law that drives it, at 1 kHz.

It knows nothing of tasks. Like a real one it takes a target pose and gives pose, twist and wrench.
"""

from typing import NamedTuple, Protocol

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from franka_impedance_controller import Gains, ImpedanceController

from .arms import TOOL_FRAME, Arm
from .gripper import ACTUATOR, Gripper

DT = 0.001  # s, the control period of the law and the step of the simulation
WRENCH_TIME_CONSTANT = 0.02  # s


class Pose(NamedTuple):
    position: np.ndarray  # (3,) m
    rotation: Rotation


class Controller(Protocol):
    """A law that drives the arm: ImpedanceController, or another one to compare with it."""

    def activate(self, q: np.ndarray, dq: np.ndarray) -> None: ...
    def set_target(self, position: np.ndarray, quaternion_xyzw: np.ndarray) -> None: ...
    def update(self, q: np.ndarray, dq: np.ndarray, out: np.ndarray) -> None: ...


def impedance_controller(urdf: str, arm: Arm, gains: Gains) -> ImpedanceController:
    """Our law for `arm`; `urdf` is the XML that its simulated model is made of, too."""
    return ImpedanceController(urdf, arm.joint_names, TOOL_FRAME, gains, DT)


class SimulatedRobot:
    """`model` has the arm's joints and motors first; others are the gripper's and the objects'."""

    def __init__(self, model: mujoco.MjModel, arm: Arm, controller: Controller):
        self.model = model
        self.data = mujoco.MjData(model)
        self.controller = controller
        self.law_update = controller.update
        self.step_physics = mujoco.mj_step
        self._nominal_q = np.array(arm.nominal_q)
        self._joints = n = len(arm.joint_names)
        self._site = model.site(TOOL_FRAME).id
        self.q, self.dq = self.data.qpos[:n], self.data.qvel[:n]  # rad, rad/s; views, the arm's
        self._torque = self.data.ctrl[:n]  # Nm, a view
        self._constraint = self.data.qfrc_constraint[:n]  # Nm, a view
        motors = [model.actuator(i).name for i in range(model.nu)]
        self.gripper = Gripper(model, self.data) if ACTUATOR in motors else None  # one that moves
        self._external_torque = np.zeros(n)  # Nm, low-passed

    def reset(self, pose: Pose) -> None:
        """Places the tool at `pose` at rest and holds it there; all else is as at the beginning.

        A gripper that moves is open.
        """
        mujoco.mj_resetData(self.model, self.data)
        if self.gripper is not None:
            self.gripper.place(1.0)
        self._external_torque[:] = 0.0
        self.q[:] = self.inverse_kinematics(pose)
        mujoco.mj_forward(self.model, self.data)
        self.controller.activate(self.q, self.dq)

    def set_target(self, pose: Pose) -> None:
        """To be called every 0.1 s: without a new target the law stops the arm and holds.

        Raises ValueError for a pose too far from the tool's.
        """
        self.controller.set_target(pose.position, pose.rotation.as_quat())

    def run(self, ticks: int) -> None:
        """Closes the loop for `ticks` milliseconds."""
        model, data, update, step = self.model, self.data, self.law_update, self.step_physics
        q, dq, torque = self.q, self.dq, self._torque
        external, constraint = self._external_torque, self._constraint
        for _ in range(ticks):
            update(q, dq, torque)
            step(model, data)
            external += (DT / WRENCH_TIME_CONSTANT) * (constraint - external)
        mujoco.mj_forward(model, data)  # poses and forces of the state just reached

    @property
    def pose(self) -> Pose:
        """Of the tool in the base frame."""
        matrix = self.data.site_xmat[self._site].reshape(3, 3)
        return Pose(self.data.site_xpos[self._site].copy(), Rotation.from_matrix(matrix))

    @property
    def twist(self) -> np.ndarray:  # (6,) m/s, rad/s
        """Of the tool, linear then angular, in the base frame."""
        velocity = np.empty(6)  # MuJoCo puts the angular part first
        mujoco.mj_objectVelocity(
            self.model, self.data, mujoco.mjtObj.mjOBJ_SITE, self._site, velocity, 0
        )
        return np.roll(velocity, 3)

    @property
    def wrench(self) -> np.ndarray:  # (6,) N, Nm
        """Force then torque of the surroundings on the tool, in the tool frame, low-passed.

        Estimated as Franka's robots do it, from the external joint torques.
        """
        jacobian = self._jacobian(self.data)
        wrench = np.linalg.lstsq(jacobian.T, self._external_torque, rcond=None)[0]
        return self.pose.rotation.inv().apply(wrench.reshape(2, 3)).ravel()

    def inverse_kinematics(self, pose: Pose) -> np.ndarray:  # (n,) rad
        """Joint angles near the nominal ones that put the tool at `pose` (damped least squares)."""
        data = mujoco.MjData(self.model)
        q, limits = data.qpos[: self._joints], self.model.jnt_range[: self._joints].T
        q[:] = self._nominal_q
        for _ in range(100):
            mujoco.mj_kinematics(self.model, data)
            mujoco.mj_comPos(self.model, data)
            matrix = data.site_xmat[self._site].reshape(3, 3)
            turn = (pose.rotation * Rotation.from_matrix(matrix).inv()).as_rotvec()
            error = np.concatenate([pose.position - data.site_xpos[self._site], turn])
            if np.abs(error).max() < 1e-9:
                return q.copy()
            jacobian = self._jacobian(data)
            normal = jacobian @ jacobian.T + 1e-6 * np.eye(6)
            q += jacobian.T @ np.linalg.solve(normal, error)
            np.clip(q, *limits, out=q)
        raise ValueError(f"pose out of reach: {pose.position.tolist()} m")

    def _jacobian(self, data: mujoco.MjData) -> np.ndarray:  # (6, n)
        """Of the tool by the arm's joints: linear, then angular."""
        jacobian = np.empty((6, self.model.nv))
        mujoco.mj_jacSite(self.model, data, jacobian[:3], jacobian[3:], self._site)
        return jacobian[:, : self._joints]
