"""Insertion tasks: the connector that the gripper holds goes into its socket."""

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from . import pcb_scene
from .arms import ARMS, arm_spec, arm_urdf
from .manipulation_env import ManipulationConfig, ManipulationEnv
from .robot import Pose, SimulatedRobot, impedance_controller
from .visuals import add_backdrop, add_visual_meshes

TOOL_DOWN = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])  # tool z against base z, tool x along base x
_YAW = np.deg2rad(20)


@dataclass(frozen=True)
class PcbInsertionConfig(ManipulationConfig):
    """SERL's values for its PCB task, with rotations in radians of the rotation vector.

    SERL's controller measures rotation errors as half of that: its rotational stiffness is halved
    here, its rotational clips are doubled.
    """

    action_scale: tuple[float, float] = (0.02, 0.2)
    reset_height: float = 0.04
    random_xy: float = 0.05
    random_rz: float = _YAW
    box_low: tuple[float, ...] = (-0.05, -0.05, -0.005, -0.05, -0.05, -_YAW)
    box_high: tuple[float, ...] = (0.05, 0.05, 0.05, 0.05, 0.05, _YAW)
    success_tolerance: tuple[float, float, float, float] = (0.003, 0.003, 0.001, 0.1)
    stiffness: tuple[float, ...] = (3000.0, 3000.0, 3000.0, 75.0, 75.0, 75.0)
    damping: tuple[float, ...] = (180.0, 180.0, 180.0, 7.0, 7.0, 7.0)
    clip_positive: tuple[float, ...] = (0.002, 0.002, 0.003, 0.05, 0.014, 0.02)
    clip_negative: tuple[float, ...] = (0.0025, 0.0015, 0.002, 0.05, 0.014, 0.02)


class PcbInsertionEnv(ManipulationEnv):
    """Insert a connector with 0.4 mm clearance. Seated: reward 1 and the end; else reward 0."""

    def __init__(
        self,
        arm: str = "panda",
        observations: str = "state",
        render_mode: str | None = None,
        **arguments,
    ):
        if arm not in ARMS:
            raise ValueError(f"arm: expected one of {', '.join(ARMS)}, got {arm!r}")
        config = PcbInsertionConfig.from_arguments(arguments)
        self.arm = ARMS[arm]
        self._urdf = arm_urdf(self.arm, pcb_scene.CONNECTOR)
        controller = impedance_controller(self._urdf, self.arm, config.gains())
        super().__init__(
            robot=SimulatedRobot(self._scene().compile(), self.arm, controller),
            goal=Pose(pcb_scene.SEAT, TOOL_DOWN),
            config=config,
            gripper=pcb_scene.CONNECTOR.opening,
            observations=observations,
            render_mode=render_mode,
        )

    def _scene(self) -> mujoco.MjSpec:
        spec = arm_spec(self._urdf, self.arm)
        pcb_scene.add_pcb_scene(spec)
        return spec

    def overview_model(self) -> mujoco.MjModel:
        spec = self._scene()
        add_visual_meshes(spec, self.arm)
        add_backdrop(spec)
        return spec.compile()
