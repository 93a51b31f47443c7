"""Cable routing: the cable whose end the gripper holds goes into the slot of a clip."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from gymnasium import spaces

from . import cable_scene
from .manipulation_env import TOOL_DOWN, ManipulationConfig, ManipulationEnv
from .robot import Pose

_YAW = np.deg2rad(30)
HANG_TICKS = 400  # ms of a start, until the cable hangs (almost) still


@dataclass(frozen=True)
class CableRoutingConfig(ManipulationConfig):
    """SERL's values for its cable task, with rotations in radians of the rotation vector.

    As for the other tasks rotational stiffness is halved, rotational clips are doubled. The box
    ends 1 cm behind the goal: farther from the post the cable would be taut.
    """

    action_scale: tuple[float, float] = (0.05, 0.3)
    reset_height: float = 0.1
    random_xy: float = 0.1
    random_rz: float = _YAW
    box_low: tuple[float, ...] = (-0.01, -0.1, -0.001, -0.01, -0.01, -_YAW)
    box_high: tuple[float, ...] = (0.1, 0.1, 0.1, 0.01, 0.01, _YAW)
    # m, of the centreline at both ends of the slot: there the cable lies wholly between the slot's
    # parallel walls, below its rim. A camera sees that; it does not see how deep a hidden cable is.
    success_tolerance: float = 0.004
    stiffness: tuple[float, ...] = (2000.0, 2000.0, 2000.0, 75.0, 75.0, 75.0)
    damping: tuple[float, ...] = (89.0, 89.0, 89.0, 7.0, 7.0, 7.0)
    clip_positive: tuple[float, ...] = (0.005, 0.005, 0.005, 0.1, 0.1, 0.04)
    clip_negative: tuple[float, ...] = (0.005, 0.005, 0.005, 0.1, 0.1, 0.04)


class CableRoutingEnv(ManipulationEnv):
    """Route a cable into a slot as wide as the cable. Seated: reward 1 and the end; else reward 0.

    What counts is the cable, not the tool. With observations="state" there is also `cable` (6,):
    where its centreline passes the slot's two ends, relative to a seated one; m, base frame.
    """

    closeup: ClassVar = {"distance": 0.2, "azimuth": 125}

    def __init__(
        self,
        arm: str = "panda",
        observations: str = "state",
        render_mode: str | None = None,
        **arguments,
    ):
        super().__init__(
            arm,
            cable_scene.CABLE_END,
            cable_scene.add_cable_scene,
            goal=Pose(cable_scene.SEAT, TOOL_DOWN),
            config=CableRoutingConfig.from_arguments(arguments),
            observations=observations,
            render_mode=render_mode,
        )
        self.cable = self.robot.data.flexvert_xpos  # (POINTS, 3) m, base frame, a view
        joints, data = len(self.arm.joint_names), self.robot.data
        self._slides = data.qpos[joints:].reshape(-1, 3)  # m, a view
        self._velocity, self._drag = data.qvel[joints:], data.qfrc_applied[joints:]  # m/s, N, views
        self.robot.step_physics = self._step_physics
        if self._sees_goal:
            self.observation_space["cable"] = spaces.Box(-np.inf, np.inf, (6,), np.float32)

    def place(self, pose: Pose) -> None:
        """Starts from the tool at `pose`, at rest, with the cable hanging from it."""
        self.robot.reset(pose)
        grip = pose.position - pose.rotation.apply([0.0, 0.0, cable_scene.RADIUS])
        points = cable_scene.hanging_cable(grip, pose.rotation.apply([1.0, 0.0, 0.0]))
        self._slides += (points - self.cable)[2:]
        self.robot.run(HANG_TICKS)

    def _step_physics(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """With the drag of the air, far cheaper than MuJoCo's."""
        np.multiply(self._velocity, -cable_scene.DRAG, out=self._drag)
        mujoco.mj_step(model, data)

    def is_success(self) -> bool:
        """Ground truth: the cable lies in the slot, at both of its ends."""
        return bool(
            (np.linalg.norm(self.cable_error(), axis=1) < self.config.success_tolerance).all()
        )

    def cable_error(self) -> np.ndarray:  # (2, 3) m
        """From the ends of a seated cable's part in the slot to the centreline's nearest points."""
        start, along = self.cable[:-1], np.diff(self.cable, axis=0)
        error = []
        for end in cable_scene.SEATED:
            part = ((end - start) * along).sum(axis=1) / (along**2).sum(axis=1)
            from_end = start + np.clip(part, 0.0, 1.0)[:, None] * along - end
            error.append(from_end[np.argmin((from_end**2).sum(axis=1))])
        return np.array(error)

    def _observe(self) -> dict[str, np.ndarray]:
        observation = super()._observe()
        if self._sees_goal:
            observation["cable"] = self.cable_error().ravel().astype(np.float32)
        return observation
