"""PCB insertion: a connector goes into its socket on a circuit board."""

from dataclasses import dataclass

import numpy as np

from . import pcb_scene
from .insertion_env import InsertionConfig, InsertionEnv

_YAW = np.deg2rad(20)


@dataclass(frozen=True)
class PcbInsertionConfig(InsertionConfig):
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
    success_tolerance: tuple[float, ...] = (0.003, 0.003, 0.001, 0.1)
    stiffness: tuple[float, ...] = (3000.0, 3000.0, 3000.0, 75.0, 75.0, 75.0)
    damping: tuple[float, ...] = (180.0, 180.0, 180.0, 7.0, 7.0, 7.0)
    clip_positive: tuple[float, ...] = (0.002, 0.002, 0.003, 0.05, 0.014, 0.02)
    clip_negative: tuple[float, ...] = (0.0025, 0.0015, 0.002, 0.05, 0.014, 0.02)


class PcbInsertionEnv(InsertionEnv):
    """Insert a connector with 0.4 mm clearance."""

    def __init__(
        self,
        arm: str = "panda",
        observations: str = "state",
        render_mode: str | None = None,
        agent: str = "",
        **arguments,
    ):
        super().__init__(
            arm,
            held=pcb_scene.CONNECTOR,
            add_scene=pcb_scene.add_pcb_scene,
            seat=pcb_scene.SEAT,
            depth=pcb_scene.DEPTH,
            config=PcbInsertionConfig.from_arguments(arguments),
            observations=observations,
            render_mode=render_mode,
            agent=agent,
        )
